"""A page on this machine to work from: look at files, compose a study, run and watch it, read its report and try its models."""
