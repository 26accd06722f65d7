"""What tells of people, sales or passwords is for the owner of WHARF_HOME alone."""

from deployments.local.files import ensure_home


def test_folders_of_others_are_closed_and_the_databases_can_be_passed_to(tmp_path):
    home = ensure_home(tmp_path / "home")
    modes = {path.name: path.stat().st_mode & 0o777 for path in home.iterdir()}
    assert modes.keys() >= {"logs", "run", "messages", "models", "backups", "privacy"}
    assert set(modes.values()) == {0o700}
    assert home.stat().st_mode & 0o777 == 0o711
