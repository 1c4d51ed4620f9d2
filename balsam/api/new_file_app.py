"""Write a new application into the files of a site, ready to be edited."""

from pathlib import Path

from balsam.exceptions import ConflictError, DefinitionError
from balsam.lib.command_templates import parameters_of

__all__ = ["write_file_app"]

#: Hooks are comments until they are wanted: each costs every job a process of its own.
_TEXT = '''\
from balsam.site import ApplicationDefinition


class {name}(ApplicationDefinition):
    """
    {description}
    """

    environment_variables = {{}}
    command_template = {template!r}
    parameters = {{}}
    transfers = {{}}

    # Remove the signs of comment from what is to run with each job. A method that leaves self.job.state
    # unchanged lets the job go the usual way.

    # def preprocess(self):
    #     self.job.state = "PREPROCESSED"

    # def postprocess(self):
    #     self.job.state = "POSTPROCESSED"

    # def shell_preamble(self):
    #     return ["module load gcc"]

    # def handle_timeout(self):
    #     self.job.state = "RESTART_READY"

    # def handle_error(self):
    #     self.job.state = "FAILED"
'''


def write_file_app(apps: Path, class_path: str, template: str, description: str) -> Path:
    """Write ``MODULE.py`` with the class of ``MODULE.Class`` into a directory, and return its path.

    Raises DefinitionError for names that cannot be, UsageError for a template that cannot be read,
    ConflictError when there is such a file already.
    """
    module, _, name = class_path.partition(".")
    if not (module.isidentifier() and name.isidentifier()):
        raise DefinitionError(f"{class_path!r} is not of the form MODULE.CLASS, such as test.Hello.")
    parameters_of(template)
    text = _TEXT.format(name=name, template=template, description=description.replace('"""', "'''"))
    apps.mkdir(exist_ok=True)
    path = apps / f"{module}.py"
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise ConflictError(
            f"{path} is there already. Add the class {name} to it with an editor, then `balsam app sync`."
        ) from None
    return path
