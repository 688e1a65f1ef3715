# Wheels without a network: name, version, what it needs.
python3 - "$d/wheels" <<'P'
import os, sys, zipfile
os.makedirs(sys.argv[1])
for name, version, needs in [("hpone", "1.0", ""), ("hpone", "1.1", ""), ("hptwo", "2.0", "Requires-Dist: hpone>=1.1\n"), ("hpthree", "3.0", 'Requires-Dist: hptwo; extra == "more"\nProvides-Extra: more\n')]:
    with zipfile.ZipFile(f"{sys.argv[1]}/{name}-{version}-py3-none-any.whl", "w") as z:
        info = f"{name}-{version}.dist-info"
        z.writestr(f"{name}.py", "")
        z.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}")
        z.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        z.writestr(f"{info}/RECORD", f"{name}.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n")
P
PIP_NO_INDEX=1 PIP_FIND_LINKS=$d/wheels PIP_DISABLE_PIP_VERSION_CHECK=1; export PIP_NO_INDEX PIP_FIND_LINKS PIP_DISABLE_PIP_VERSION_CHECK
echo 'hpone<2' >/root/requirements.txt
stopped() {
	if [ -d /root/venv ]; then /root/venv/bin/pip list --format=freeze; fi
	stat -c '%a %n' /root/venv/lib/python3*/site-packages/hpthree.py
}
