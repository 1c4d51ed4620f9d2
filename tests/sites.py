"""Sites of tests: directories made by the real command."""

from pathlib import Path

__all__ = ["edit_settings"]


def edit_settings(site_path: Path, **lines: tuple[str, str]) -> None:
    """Change values in settings.yml: ``edit_settings(path, idle_ttl_sec=("60", "0.5"))``, from and to."""
    path = site_path / "settings.yml"
    text = path.read_text()
    for key, (before, after) in lines.items():
        assert f"{key}: {before}\n" in text, f"{key}: {before}"
        text = text.replace(f"{key}: {before}\n", f"{key}: {after}\n")
    path.write_text(text)
