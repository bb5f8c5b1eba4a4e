"""Unit tests of the runner without isolation, beyond what its slots do."""


def test_it_says_that_it_isolates_nothing(runner, stage):
    assert (runner.capabilities.name, runner.capabilities.isolation) == ("process", "none")
    assert stage.slot.facts.isolation == "none"


def test_each_script_gets_an_empty_temporary_folder(stage):
    assert stage.run("touch $TMPDIR/x; echo $HOME").succeeded
    assert stage.run("ls -A $TMPDIR; mkdir -p $TMPDIR/a/b; chmod 0 $TMPDIR/a").succeeded
    assert stage.heard.stdout == b""
    assert not (stage.slot.folder / "tmp").exists()
