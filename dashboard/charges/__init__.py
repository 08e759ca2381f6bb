"""The list of charges and the page of one."""
