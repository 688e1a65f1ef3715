"""Runs a program on a terminal and types answers: argv is a JSON list of [question, answer] and the program's command line.

Prints what the terminal showed and how many questions did not come; ends with the program's status.
"""
import json
import os
import pty
import sys

answers, argv = json.loads(sys.argv[1]), sys.argv[2:]
pid, fd = pty.fork()
if pid == 0:
    os.execvp(argv[0], argv)
shown, seen = b"", 0
while True:
    try:
        chunk = os.read(fd, 4096)
    except OSError:  # the other end is closed
        break
    if not chunk:
        break
    shown += chunk
    while answers:
        at = shown.find(answers[0][0].encode(), seen)
        if at < 0:
            break
        question, answer = answers.pop(0)
        seen = at + len(question)
        os.write(fd, answer.encode() + b"\n")
print(shown.decode().replace("\r\n", "\n") + "%d questions did not come" % len(answers))
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
