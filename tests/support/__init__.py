"""What tests of several features need: servers of our own, started on free ports."""
