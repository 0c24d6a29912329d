"""Printed documents of every service: the same faces, the same page, the same bytes for the same content.

`pdf.typeset` lays out a Typst template; which documents there are, and what stands in them, is each service's own.
"""
