"""What of the documents is made and not written: reference pages, tables of results.

Also the code in the pages, which tests run.
"""
