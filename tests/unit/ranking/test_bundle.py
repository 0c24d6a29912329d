"""Reading a bundle from a folder or a zip, with suspicion, and writing one reproducibly."""

import hashlib
import json
import stat
import warnings
import zipfile
from pathlib import Path

import pytest

from services.shared.ranking import containers
from services.shared.ranking.bundle import rank_bundle, read_bundle, write_bundle
from services.shared.ranking.errors import InputError
from services.shared.ranking.ranking import ranking_csv
from tests.unit.ranking.builders import HEAD, ONE_CRITERION

FILES = {
    "rules.toml": (HEAD + ONE_CRITERION + '[combination]\nvotes = "0.5"\nexperts = "0.5"\n').encode(),
    "candidates.csv": b"candidate,title,unit,channel,category,level\nA,t,u,c,x,l\nB,t,u,c,x,l\n",
    "votes.csv": b"candidate,votes\nA,10\nB,20\n",
    "scores.csv": b"expert,candidate,criterion,score\nX,A,idea,90\nX,B,idea,60\n",
}
# A: 0.5·10 + 0.5·90 = 50; B: 0.5·20 + 0.5·60 = 40
RESULT = (
    "group,place,candidate,total,vote_points,expert_points,tie_break,outcome\nall,1,A,50,10,90,,\nall,2,B,40,20,60,,\n"
)


def folder_of(path: Path, files: dict[str, bytes]) -> Path:
    path.mkdir()
    for name, data in files.items():
        (path / name).write_bytes(data)
    return path


def zip_of(path: Path, files: dict[str, bytes]) -> Path:
    with warnings.catch_warnings(), zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        warnings.simplefilter("ignore")  # a duplicate name is what one of the tests wants
        for name, data in files.items():
            archive.writestr(name.removesuffix("#2"), data)
    return path


def result_of(path: Path) -> str:
    return ranking_csv(rank_bundle(read_bundle(path))).decode()


def without(*names: str, **others: bytes) -> dict[str, bytes]:
    return {name: data for name, data in FILES.items() if name not in names} | others


def test_a_folder_a_zip_and_a_zip_of_the_folder_say_the_same(tmp_path: Path) -> None:
    assert result_of(folder_of(tmp_path / "bundle", FILES)) == RESULT
    assert result_of(zip_of(tmp_path / "flat.zip", FILES)) == RESULT
    assert result_of(zip_of(tmp_path / "deep.zip", {f"bundle/{name}": data for name, data in FILES.items()})) == RESULT


def test_ballots_stand_in_for_votes(tmp_path: Path) -> None:
    ballots = "".join(f"{number:03},counted,{'A' if number < 10 else 'B'},\n" for number in range(30))
    data = ("ballot,state,choices,stratum\n" + ballots).encode()
    files = without("votes.csv") | {"ballots.csv": data}
    assert result_of(folder_of(tmp_path / "folder", files)) == RESULT
    assert result_of(zip_of(tmp_path / "zip.zip", files)) == RESULT


def test_one_side_is_enough(tmp_path: Path) -> None:
    assert ",45,,90," in result_of(folder_of(tmp_path / "scores", without("votes.csv")))
    assert ",10,20,,," in result_of(folder_of(tmp_path / "votes", without("scores.csv")))


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (without("rules.toml"), "rules.toml: is missing from the bundle; add it"),
        (without("candidates.csv"), "candidates.csv: is missing from the bundle; add it"),
        (without("votes.csv", "scores.csv"), "bundle: has neither votes nor scores"),
        (FILES | {"ballots.csv": b"ballot,state,choices,stratum\n"}, "votes.csv: stands beside ballots.csv"),
        (FILES | {"scores.csv": FILES["scores.csv"] + b"Y,B,idea,-1\n"}, "scores.csv:4: score -1 is outside 0"),
        (FILES | {"reveal.toml": b"lots_seed = 1\n"}, "reveal.toml:1: lots_seed must be a text"),
        (FILES | {"events.csv": b"at,event,detail\nx,y,z\n"}, "events.csv:2: at"),
    ],
)
def test_a_bad_bundle_names_the_file(tmp_path: Path, files: dict[str, bytes], message: str) -> None:
    with pytest.raises(InputError) as refused:
        result_of(folder_of(tmp_path / "bundle", files))
    assert str(refused.value).startswith(message)


def test_a_seed_is_checked_when_it_is_read(tmp_path: Path) -> None:
    rules = (
        FILES["rules.toml"] + f'tie_break = ["lots"]\nlots_commitment = "{hashlib.sha256(b"s").hexdigest()}"\n'.encode()
    )
    files = FILES | {"rules.toml": rules}
    assert read_bundle(folder_of(tmp_path / "right", files | {"reveal.toml": b'lots_seed = "s"'})).lots_seed == "s"
    with pytest.raises(InputError, match=r"^reveal.toml: lots_seed does not have the SHA-256"):
        read_bundle(folder_of(tmp_path / "wrong", files | {"reveal.toml": b'lots_seed = "t"'}))


def test_what_is_no_bundle(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not there; name a bundle"):
        read_bundle(tmp_path / "nowhere")
    (tmp_path / "text.zip").write_bytes(b"no zip")
    with pytest.raises(InputError, match="is not a sound"):
        read_bundle(tmp_path / "text.zip")


def test_a_damaged_zip_is_refused(tmp_path: Path) -> None:
    path = zip_of(tmp_path / "bundle.zip", FILES)
    data = bytearray(path.read_bytes())
    data[45:60] = bytes(15)
    path.write_bytes(data)
    with pytest.raises(InputError, match="is not a sound"):
        read_bundle(path)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("../evil", "a path outside itself"),
        ("/etc/evil", "a path outside itself"),
        ("a\\evil", "a path outside itself"),
        ("C:evil", "a path outside itself"),
        ("votes.csv#2", "twice"),
    ],
)
def test_a_zip_with_suspicious_names_is_refused(tmp_path: Path, name: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_bundle(zip_of(tmp_path / "bundle.zip", FILES | {name: b"x"}))


def test_a_zip_with_a_link_is_refused(tmp_path: Path) -> None:
    path = zip_of(tmp_path / "bundle.zip", FILES)
    with zipfile.ZipFile(path, "a") as archive:
        link = zipfile.ZipInfo("events.csv")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
    with pytest.raises(InputError, match="as a link"):
        read_bundle(path)


def test_a_zip_bomb_is_refused_unread(tmp_path: Path) -> None:
    bomb = FILES | {"ballots.csv": bytes(20_000_000)}
    with pytest.raises(InputError, match="would unpack to 20000"):
        read_bundle(zip_of(tmp_path / "bundle.zip", bomb))


def test_a_file_beyond_its_limit_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(containers, "SMALL_FILE_BYTES_MAX", 50)
    with pytest.raises(InputError, match=r"rules.toml: is larger than 50 bytes"):
        read_bundle(folder_of(tmp_path / "bundle", FILES))


def test_a_zip_larger_than_any_bundle_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = zip_of(tmp_path / "bundle.zip", FILES)
    unpacked = sum(len(data) for data in FILES.values())
    monkeypatch.setattr(containers, "UNPACKED_BYTES_MAX", unpacked)
    assert result_of(path) == RESULT
    monkeypatch.setattr(containers, "UNPACKED_BYTES_MAX", unpacked - 1)
    with pytest.raises(InputError, match="would unpack to"):
        read_bundle(path)


def test_too_many_entries_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(containers, "ENTRIES_MAX", 3)
    with pytest.raises(InputError, match="more than 3 entries"):
        read_bundle(zip_of(tmp_path / "bundle.zip", FILES))


def test_a_written_bundle_reads_the_same_and_has_the_same_bytes_each_time(tmp_path: Path) -> None:
    paths = [tmp_path / "one.zip", tmp_path / "two.zip", tmp_path / "folder"]
    for path in paths:
        write_bundle(FILES, path, rules_digest="d", software="pingxuan 0")
        assert result_of(path) == RESULT
    assert paths[0].read_bytes() == paths[1].read_bytes()
    manifest = json.loads((paths[2] / "manifest.json").read_text())
    assert manifest["rules_digest"] == "d"
    assert manifest["files"]["votes.csv"] == hashlib.sha256(FILES["votes.csv"]).hexdigest()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder", "one.zip", "two.zip"]


def test_the_bytes_of_a_zip_do_not_depend_on_the_order_of_its_files(tmp_path: Path) -> None:
    one, two = tmp_path / "one.zip", tmp_path / "two.zip"
    write_bundle(FILES, one, rules_digest="d", software="s")
    write_bundle(dict(reversed(FILES.items())), two, rules_digest="d", software="s")
    assert one.read_bytes() == two.read_bytes()


def test_a_small_zip_may_be_dense_and_stand_beside_other_folders(tmp_path: Path) -> None:
    votes = FILES["votes.csv"] + b"\n" * 300_000
    files = {f"bundle/{name}": data for name, data in (FILES | {"votes.csv": votes}).items()}
    assert result_of(zip_of(tmp_path / "dense.zip", files | {"__MACOSX/._bundle": b""})) == RESULT


def test_nothing_is_written_over(tmp_path: Path) -> None:
    path = folder_of(tmp_path / "bundle", FILES)
    with pytest.raises(FileExistsError):
        write_bundle(FILES, path, rules_digest="d", software="s")
