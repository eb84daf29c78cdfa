"""The verbs of the command line: a file for each subject. `add` declares them; each verb is one call into the suite."""
