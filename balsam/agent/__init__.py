"""The agent: `balsam service`, which submits launches and runs hooks and staging while nobody is looking."""
