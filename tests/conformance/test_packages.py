"""The packages as users have them: written twice from the same program to the same bytes, installed from a local file into a root that has
nothing else, run there, and gone without a trace. Everything is done in a network namespace with loopback alone."""

import contextlib
import gzip
import hashlib
import io
import json
import os
import re
import select
import shutil
import signal
import subprocess
import tarfile
import tomllib
import zipfile
from pathlib import Path

import harness
import packages
from harness import equal

VERSION = tomllib.loads((harness.ROOT / "Cargo.toml").read_text())["workspace"]["package"]["version"]
# How long a start, a walk through the demo or an end may take on a busy machine.
MOMENT_S = 120
# How much systemd finds that the unit leaves open, of 100: what it calls OK, since private networks of the kernel need namespaces.
EXPOSURE_MAX = 30
# What a Debian root must have for the package's scripts, and by whom dpkg knows their libraries.
BASE_PROGRAMS = ("/bin/sh", "/bin/rm", "/bin/cp")
BASE_PACKAGES = ("libc6", "libgcc-s1")


@harness.once
def scratch():
    return packages.place("tidegate-packages-")


@harness.once
def program():
    return packages.stripped(scratch())


@harness.once
def written():
    return packages.write(program(), os.path.join(scratch(), "written"))


def package(ending):
    """The one package of this kind."""
    [path] = [path for path in written() if path.name.endswith(ending)]
    return str(path)


def libraries(program):
    """The files that a program of this machine is loaded from, beside itself."""
    told = harness.command(["ldd", program], dict(os.environ)).stdout
    return re.findall(r"(/\S+) \(0x", told)


def base(root):
    """A Debian root of a shell, two programs and the C library, with what dpkg must know of it."""
    for name in ("bin", "lib", "lib64", "sbin"):
        os.makedirs(f"{root}/usr/{name}", exist_ok=True)
        os.symlink(f"usr/{name}", f"{root}/{name}")
    needed = {library for program in (*BASE_PROGRAMS, harness.binary()) for library in libraries(program)}
    for path in (*BASE_PROGRAMS, *needed):
        os.makedirs(os.path.dirname(root + path), exist_ok=True)
        shutil.copy(os.path.realpath(path), root + path)
    for name in ("var/lib/dpkg/info", "var/lib/dpkg/updates", "var/log", "tmp", "proc", "dev", "etc"):
        os.makedirs(f"{root}/{name}", exist_ok=True)
    Path(root, "dev/null").touch()
    known = harness.command(["dpkg-query", "--status", *BASE_PACKAGES], dict(os.environ)).stdout
    Path(root, "var/lib/dpkg/status").write_text(known)
    return root


@harness.once
def debian():
    root = base(os.path.join(scratch(), "debian"))
    os.chmod(f"{root}/tmp", 0o1777)
    return root


def dpkg(*words):
    root = debian()
    return harness.command(["dpkg", f"--root={root}", f"--log={root}/var/log/dpkg.log", *words], dict(os.environ))


def files(root):
    """Every file below a root but dpkg's own notes, with its mode and its size."""
    found = {}
    for path in Path(root).rglob("*"):
        name = str(path.relative_to(root))
        if not name.startswith(("var/lib/dpkg", "var/log")):
            told = path.lstat()
            found[name] = (oct(told.st_mode), 0 if path.is_dir() else told.st_size)
    return found


def inside(root, *words, within_s=MOMENT_S):
    """A program of a root, run there as a user that is nobody's."""
    run = [shutil.which("chroot"), "--userspec=65532:65532", root, *words]
    return subprocess.run(run, capture_output=True, text=True, timeout=within_s, env={"PATH": "/usr/bin", "HOME": "/tmp"}, cwd="/")


def walks_through_the_demo(root, *words):
    done = inside(root, *words, "demo", "--once")
    equal(done.returncode, 0, done.stdout + done.stderr)
    assert "SG_INGRESS_DENIED" in done.stdout, done.stdout


def test_the_deb_is_installed_runs_and_goes_away_without_a_trace():
    root = debian()
    os.makedirs(f"{root}/etc/apparmor.d/abi")
    Path(root, "etc/apparmor.d/abi/4.0").touch()
    before = files(root)
    dpkg("--install", package(".deb"))
    installed = files(root)
    equal(installed["etc/tidegate/tidegate.toml"][0], "0o100600")
    equal(installed["usr/bin/tidegate"][0], "0o100755")
    assert "etc/apparmor.d/tidegate" in installed, "no profile where AppArmor knows user namespaces"
    dpkg("--verify", "tidegate")
    unit = Path(root, "usr/lib/systemd/system/tidegate.service").read_text()
    for command in re.findall(r"^Exec\w+=(\S+)", unit, re.MULTILINE):
        assert os.path.exists(root + command), f"the unit runs {command}, which the package does not depend on"
    walks_through_the_demo(root, "/usr/bin/tidegate")
    # What a service leaves behind.
    os.makedirs(f"{root}/var/lib/private/tidegate/ca")
    os.symlink("private/tidegate", f"{root}/var/lib/tidegate")
    dpkg("--remove", "tidegate")
    left = {name for name in files(root) if name not in before}
    assert "etc/tidegate/tidegate.toml" in left and "var/lib/private/tidegate/ca" in left, left
    assert not any("apparmor.d/tidegate" in name or name.startswith("usr") for name in left), left
    dpkg("--purge", "tidegate")
    os.rmdir(f"{root}/var/lib/private")
    equal(files(root), before)


def inventory_holds(text):
    """The bill of materials names every crate that the licences list, each with a checksum and an edge that leads to it."""
    bill = json.loads(text)
    equal((bill["bomFormat"], bill["metadata"]["component"]["name"]), ("CycloneDX", "tidegate"))
    refs = {part["bom-ref"]: part for part in bill["components"]}
    assert len(refs) == len(bill["components"]) > 100, len(refs)
    for ref, part in refs.items():
        assert ref.startswith("pkg:cargo/") and part["licenses"][0]["expression"], part
        assert re.fullmatch("[0-9a-f]{64}", part["hashes"][0]["content"]), part
    reached, edges = set(), {row["ref"]: row["dependsOn"] for row in bill["dependencies"]}
    ahead = ["tidegate"]
    while ahead:
        for ref in edges[ahead.pop()]:
            if ref not in reached:
                reached.add(ref)
                ahead.append(ref)
    equal(reached, set(refs), "crates that the program leads to")
    names = {part["name"] for part in refs.values()}
    assert {"tokio", "rustls", "aws-lc-sys"} <= names and not {"proptest", "tempfile", "serde_derive", "cc"} & names, names
    return {f"{part['name']} {part['version']}" for part in refs.values()}


def test_the_packages_say_what_is_in_the_program_and_under_which_licence():
    unpacked = os.path.join(scratch(), "unpacked")
    harness.command(["dpkg-deb", "--extract", package(".deb"), unpacked], dict(os.environ))
    docs = Path(unpacked, "usr/share/doc/tidegate")
    listed = set(re.findall(r"^  (\S+ \d\S*): ", (docs / "copyright").read_text(), re.MULTILINE))
    bill = (docs / "tidegate.cdx.json").read_text()
    equal(listed, inventory_holds(bill))
    with zipfile.ZipFile(package(".whl")) as wheel:
        [info] = {name.split("/")[0] for name in wheel.namelist() if ".dist-info/" in name}
        equal(wheel.read(f"{info}/sboms/tidegate.cdx.json").decode(), bill)
        assert wheel.read(f"{info}/licenses/THIRD-PARTY-LICENSES.txt").decode() in (docs / "copyright").read_text()


def test_systemd_reads_the_unit_of_the_deb_and_finds_it_hardened():
    if not shutil.which("systemd-analyze"):
        harness.missing("systemd-analyze")
    text = (harness.ROOT / "packaging" / "debian" / "tidegate.service").read_text()
    unit = Path(scratch(), "tidegate.service")
    unit.write_text(text.replace("/usr/bin/tidegate", program()))
    for words in (["verify"], ["security", "--offline=yes", f"--threshold={EXPOSURE_MAX}"]):
        done = harness.command(["systemd-analyze", "--no-pager", *words, str(unit)], dict(os.environ))
        if words == ["verify"]:
            equal(done.stdout + done.stderr, "")


def test_the_deb_s_scripts_tell_a_running_systemd_and_only_that():
    root = base(os.path.join(scratch(), "scripts"))
    log = Path(root, "tmp/told")
    fake = Path(root, "usr/bin/systemctl")
    fake.write_text("#!/bin/sh\necho $* >> /tmp/told\n")
    fake.chmod(0o755)
    for is_running in (False, True):
        if is_running:
            os.makedirs(f"{root}/run/systemd/system")
        told = {}
        for script, *words in (("postinst", "configure"), ("postinst", "configure", "0.0.9"), ("prerm", "upgrade"), ("prerm", "remove"), ("postrm", "remove")):
            log.write_text("")
            shutil.copy(harness.ROOT / "packaging" / "debian" / script, f"{root}/tmp/script")
            harness.command(["chroot", root, "/bin/sh", "/tmp/script", *words], dict(os.environ))
            told[" ".join([script, *words])] = log.read_text().splitlines()
        reload = ["daemon-reload"] if is_running else []
        wanted = {
            "postinst configure": reload,
            "postinst configure 0.0.9": [*reload, "try-restart tidegate.service"] if is_running else [],
            "prerm upgrade": [],
            "prerm remove": ["--no-reload disable tidegate.service", *(["stop tidegate.service"] if is_running else [])],
            "postrm remove": reload,
        }
        equal(told, wanted, f"running: {is_running}")


@harness.once
def project():
    """A project with both packages of npm in it, from files alone."""
    place = os.path.join(scratch(), "project")
    os.makedirs(place)
    npm(place, "install", package(f"tidegate-{VERSION}.tgz"), package(f"-x64-{VERSION}.tgz"))
    return place


def npm(place, *words):
    if not shutil.which("npm"):
        harness.missing("npm")
    cache = os.path.join(scratch(), "npm-cache")
    env = bare() | {"npm_config_cache": cache, "npm_config_audit": "false", "npm_config_fund": "false", "npm_config_update_notifier": "false"}
    return harness.command(["npm", "--offline", "--prefix", place, *words], env)


def bare():
    return {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "TIDEGATE_", "npm_"))}


@contextlib.contextmanager
def launched(place):
    """The launcher and the id of the program below it, which serves."""
    command = ["node", os.path.join(place, "node_modules/.bin/tidegate"), "up", "--ephemeral", "--output", "json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL, env=bare(), text=True)
    try:
        assert select.select([process.stdout], [], [], MOMENT_S)[0], "not ready"
        yield process, json.loads(process.stdout.readline())["pid"]
    finally:
        process.kill()
        process.wait(MOMENT_S)
        process.stdout.close()


def is_there(pid):
    return os.path.exists(f"/proc/{pid}")


def test_the_launcher_of_npm_passes_signals_and_the_program_s_end_on():
    place = project()
    for signals, wanted in (([signal.SIGHUP, signal.SIGTERM], 0), ([signal.SIGINT], 0)):
        with launched(place) as (process, pid):
            for one in signals:
                process.send_signal(one)
            equal(process.wait(MOMENT_S), wanted, signals)
        assert not is_there(pid), f"the program outlived its launcher after {signals}"
    with launched(place) as (process, pid):
        os.kill(pid, signal.SIGKILL)
        equal(process.wait(MOMENT_S), -signal.SIGKILL)
    launcher = os.path.join(place, "node_modules/.bin/tidegate")
    for words, wanted in ((["wait", "--timeout", "1s"], 4), (["no-such-command"], 2)):
        equal(harness.command(["node", launcher, *words], bare(), check=False).returncode, wanted, words)


def test_the_launcher_of_npm_says_which_package_is_missing():
    alone = os.path.join(scratch(), "alone")
    os.makedirs(alone)
    npm(alone, "install", "--omit=optional", package(f"tidegate-{VERSION}.tgz"))
    told = harness.command(["node", os.path.join(alone, "node_modules/.bin/tidegate"), "up"], bare(), check=False)
    equal(told.returncode, 1)
    assert "@tidegate/linux-x64 is not installed" in told.stderr, told.stderr


def test_the_packages_of_npm_are_installed_without_a_network_and_run():
    place = project()
    told = npm(place, "exec", "--no", "--", "tidegate", "demo", "--once")
    assert "SG_INGRESS_DENIED" in told.stdout, told.stdout
    modules = Path(place, "node_modules/@tidegate/linux-x64")
    inventory_holds((modules / "tidegate.cdx.json").read_text())
    assert "tokio" in (modules / "THIRD-PARTY-LICENSES.txt").read_text()
    npm(place, "uninstall", "tidegate", "@tidegate/linux-x64")
    left = [path for path in Path(place, "node_modules").rglob("*") if path.is_file() and not path.name.startswith(".")]
    equal(left, [])


@harness.once
def image():
    """The parts of the image, each as what it holds names it."""
    with tarfile.open(package(".oci.tar")) as archive:
        parts = {part.name: archive.extractfile(part).read() for part in archive.getmembers() if part.isfile()}
    for name, content in parts.items():
        if name.startswith("blobs/"):
            equal(name, f"blobs/sha256/{hashlib.sha256(content).hexdigest()}")
    return parts


def part(descriptor):
    content = image()[f"blobs/{descriptor['digest'].replace(':', '/')}"]
    equal(len(content), descriptor["size"])
    return content


@harness.once
def container():
    """The layer as a root, and the image's configuration."""
    equal(json.loads(image()["oci-layout"]), {"imageLayoutVersion": "1.0.0"})
    [named] = json.loads(image()["index.json"])["manifests"]
    manifest = json.loads(part(named))
    settings = json.loads(part(manifest["config"]))
    [layer] = manifest["layers"]
    unpacked = gzip.decompress(part(layer))
    equal(settings["rootfs"]["diff_ids"], [f"sha256:{hashlib.sha256(unpacked).hexdigest()}"])
    [docker] = json.loads(image()["manifest.json"])
    equal([docker["Config"], *docker["Layers"]], [f"blobs/{one['digest'].replace(':', '/')}" for one in (manifest["config"], layer)])
    root = os.path.join(scratch(), "container")
    with tarfile.open(fileobj=io.BytesIO(unpacked)) as archive:
        archive.extractall(root)
        equal({entry.mtime for entry in archive.getmembers()}, {0})
    # Every engine brings it.
    os.makedirs(os.path.join(root, "dev"), exist_ok=True)
    Path(root, "dev/null").touch(mode=0o666)
    return root, settings["config"]


def test_the_image_runs_as_a_user_without_privileges_in_a_root_of_its_own():
    root, settings = container()
    equal(settings["User"], "65532:65532")
    equal(sorted(settings["ExposedPorts"]), ["4566/tcp", "8080/tcp", "8443/tcp"])
    walks_through_the_demo(root, *settings["Entrypoint"])
    docs = Path(root, "usr/share/doc")
    inventory_holds((docs / "tidegate/tidegate.cdx.json").read_text())
    assert "tokio" in (docs / "tidegate/copyright").read_text() 
    for library in ("libc6", "libgcc-s1"):
        assert "GNU" in (docs / library / "copyright").read_text()


def test_the_image_s_health_check_tells_a_server_that_serves_from_one_that_does_not():
    root, settings = container()
    how, *check = settings["Healthcheck"]["Test"]
    equal(how, "CMD")
    down = inside(root, *check)
    equal(down.returncode, 4, down.stdout + down.stderr)
    env = dict(line.split("=", 1) for line in settings["Env"])
    run = [shutil.which("chroot"), f"--userspec={settings['User']}", root, *settings["Entrypoint"], *settings["Cmd"]]
    server = subprocess.Popen(run, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        harness.until("the health check passes", lambda: inside(root, *check).returncode == 0, MOMENT_S)
    finally:
        server.terminate()
        equal(server.wait(MOMENT_S), 0)
    assert Path(root, env["TIDEGATE_DATA_DIR"][1:], "state.db").exists(), "state where the image's volume is"


def test_the_plain_archive_is_where_binstall_looks_for_it_and_runs():
    crate = tomllib.loads((harness.ROOT / "crates/tidegate/Cargo.toml").read_text())["package"]["metadata"]["binstall"]
    values = {"repo": "", "version": VERSION, "target": "x86_64-unknown-linux-gnu", "bin": "tidegate", "binary-ext": ""}
    wanted = {key: re.sub(r"{ (\S+) }", lambda name: values[name[1]], text) for key, text in crate.items()}
    with tarfile.open(package(wanted["pkg-url"].strip("/")), "r:gz") as archive:
        archive.extractall(os.path.join(scratch(), "plain"))
    place = Path(scratch(), "plain", wanted["bin-dir"])
    equal(harness.command([str(place), "--version"], bare()).stdout, f"tidegate {VERSION}\n")
    inventory_holds((place.parent / "tidegate.cdx.json").read_text())


def test_the_sources_are_what_git_tracks_and_the_formula_names_them():
    path = package("-source.tar.gz")
    place = os.path.join(scratch(), "source")
    with tarfile.open(path) as archive:
        archive.extractall(place)
    root = Path(place, f"tidegate-{VERSION}")
    tracked = harness.command(["git", "-C", str(harness.ROOT), "ls-files", "-z"], dict(os.environ)).stdout.split("\0")
    equal(sorted(str(file.relative_to(root)) for file in root.rglob("*") if file.is_file()), sorted(filter(None, tracked)))
    assert os.access(root / "examples/aws-cli/build.sh", os.X_OK)
    told = harness.command(["cargo", "metadata", "--locked", "--offline", "--no-deps", "--format-version", "1"], bare(), cwd=root).json
    assert "tidegate" in [package["name"] for package in told["packages"]], told
    formula = Path(package("tidegate.rb")).read_text()
    url = f'url "https://tidegate.invalid/{os.path.basename(path)}"'
    assert url in formula and hashlib.sha256(Path(path).read_bytes()).hexdigest() in formula and "@" not in formula, formula


def test_packages_are_the_same_bytes_twice_and_have_the_moment_that_they_are_told():
    """With a small program in place of the great one, which only takes longer."""
    stand_in, moment_s = shutil.which("true"), 1_700_000_000
    places = [os.path.join(scratch(), name) for name in ("first", "second", "dated")]
    first, second, dated = (
        packages.write(stand_in, place, umask=umask, moment_s=moment)
        for place, umask, moment in zip(places, (0o022, 0o077, 0o022), (None, None, moment_s))
    )
    equal([path.name for path in first], [path.name for path in written()])
    for one, other, later in zip(first, second, dated):
        assert one.read_bytes() == other.read_bytes(), f"{one.name} differs from one writing to the next"
        # A wheel begins in 1980, whenever it is written.
        equal(one.read_bytes() == later.read_bytes(), one.suffix == ".whl", one.name)
    [path] = [path for path in dated if path.name.endswith(".oci.tar")]
    with tarfile.open(path) as archive:
        equal({entry.mtime for entry in archive.getmembers()}, {moment_s})
        content = archive.extractfile(json.load(archive.extractfile("manifest.json"))[0]["Config"]).read()
    equal(json.loads(content)["created"], "2023-11-14T22:13:20Z")


if __name__ == "__main__":
    harness.isolate()
    harness.main()
