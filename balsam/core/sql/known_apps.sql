-- Of the given names, those of applications, with whether each has a preprocess hook.
SELECT name, preprocess <> '' FROM core_applicationdefinition WHERE name = ANY(%(names)s::text[])
