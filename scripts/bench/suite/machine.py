"""What a figure depends on besides the programs: the machine and its load."""
import os
import pathlib
import platform
import subprocess


def describe():
    cpu = {}
    for line in pathlib.Path('/proc/cpuinfo').read_text().splitlines():
        name, _, value = line.partition(':')
        cpu.setdefault(name.strip(), value.strip())
    flags = cpu.get('flags', '').split()
    memory = next((int(line.split()[1]) for line in pathlib.Path('/proc/meminfo').read_text().splitlines() if line.startswith('MemTotal')), 0)
    return {
        'cpu': cpu.get('model name', platform.processor()), 'cores': len(os.sched_getaffinity(0)),
        'features': [f for f in ('avx2', 'avx512f', 'avx512_bf16', 'amx_bf16', 'avx_vnni') if f in flags],
        'memory_gb': round(memory / 1e6), 'virtual': 'hypervisor' in flags, 'kernel': platform.release(), 'python': platform.python_version(),
    }


def load():
    """the load average of the last minute, before a contestant starts"""
    return os.getloadavg()[0]


def commit(root):
    """the commit that is measured; a + says that files differ from it"""
    def git(*args):
        return subprocess.run(['git', '-C', str(root), *args], stdout=subprocess.PIPE, text=True, check=False).stdout.strip()
    return git('rev-parse', '--short', 'HEAD') + ('+' if git('status', '--porcelain', '--untracked-files=no') else '')
