"""Renders a task's arguments as ansible-core does: a host's merged variables, then its Templar; prints seconds a host."""
import json
import sys
import time

from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.playbook.play import Play
from ansible.template import Templar
from ansible.vars.manager import VariableManager

with open(sys.argv[1]) as f:
    fleet = json.load(f)
few = fleet["hosts"][:int(sys.argv[2])]

loader = DataLoader()
inventory = InventoryManager(loader=loader, sources=[",".join(fleet["hosts"]) + ","])
manager = VariableManager(loader=loader, inventory=inventory)
play = Play().load({"hosts": "all", "gather_facts": False, "vars": fleet["vars"], "tasks": [{"debug": {"msg": "x"}}]},
                   variable_manager=manager, loader=loader)
task = play.get_tasks()[0]
task = task[0] if isinstance(task, list) else task

times, answers = [], {}
for name in few:
    start = time.perf_counter()
    variables = manager.get_vars(play=play, host=inventory.get_host(name), task=task)
    answers[name] = Templar(loader, variables=variables).template(fleet["args"])
    times.append(time.perf_counter() - start)
print(json.dumps({"seconds": sorted(times)[len(times) // 2], "answers": answers}))
