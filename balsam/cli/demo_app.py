"""The example application of the user guide, as `balsam demo` writes it."""

FILE_NAME = "app.py"
WORKFLOW = "demo-square"

#: Follows the line that names the interpreter. One file is the application, its definition, and its input.
SOURCE = '''\
import os
import sys
from balsam.core.models import BalsamJob, ApplicationDefinition
from balsam.launcher.dag import current_job

# Bootstrap app if it's not already in the DB
ApplicationDefinition.objects.get_or_create(
    name = 'square',
    executable = os.path.abspath(__file__),
)

def run(job):
    """If we're inside a Balsam task, do the calculation"""
    x = job.data['x']
    y = x**2
    job.data['y'] = y
    job.save()

def create_jobs(N):
    """If we're on a command line, create N tasks to square a number"""
    for i in range(N):
        job = BalsamJob(
            name = f"square{i}",
            workflow = "demo-square",
            application = "square",
        )
        job.data["x"] = i
        job.save()
    print(f"Created {N} jobs")

if __name__ == "__main__":
    if current_job:
        run(current_job)
    else:
        N = int(sys.argv[1])
        create_jobs(N)
'''


def app_text(interpreter: str) -> str:
    """Return the file; ``interpreter`` is what its first line names."""
    return f"#!{interpreter}\n{SOURCE}"
