package modules

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/hostlerhq/hostler/internal/shell"
	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/transport"
)

// ErrDetached is what RunUser returns when the program was started as a job that goes on by itself. A module passes it up.
var ErrDetached = errors.New("started as a job of its own")

// Job makes RunUser start the program and leave it alone. It then runs without the connection and this machine, in a session of
// its own, until it ends or its time is over. What it came to lies in the file ID in Dir, mode 0600.
type Job struct {
	ID    string
	Dir   string // on the host; ~ and variables in it are the host's
	Limit time.Duration
	// Call is kept with the job for whoever asks for its result later.
	Call *value.Dict
	// File is set to the path of the job's file when it was started.
	File string
}

// JobState is what a look at a job's file came to.
type JobState struct {
	File  string // its path; told also when there is none
	Found bool
	// Finished says that Data is the whole; Gone that the job ended without leaving a result, as when the host was restarted.
	Finished, Gone bool
	// Late says that its time was over and it was killed.
	Late bool
	Data *value.Dict // what the file holds
	// Call is what was kept of the task, Ran what its program came to; nil for a job that is not ours.
	Call *value.Dict
	Ran  *Ran
}

// Detaches declares that the module is a program of the user's with nothing to do after it, so that it may run as a Job.
func Detaches() Option { return func(m *Module) { m.detaches = true } }

// Detaches reports whether the module may run as a Job.
func (m *Module) Detaches() bool { return m.detaches }

// jobLib finds a job's place: __job DIR ID sets r, its file, and job, the folder of its parts while it runs.
const jobLib = ExpandLib + `
__job() {
	__expand "$1"
	case $__v in /*) ;; *) __v=$PWD/$__v ;; esac
	r=$__v/$2 job=$__v/.$2
}
`

// startJob starts the supervisor. Its parameters: folder, ID, seconds, and the lengths of the first three parts of its input, which are
// the supervisor, the program and the call; the rest is the program's standard input.
const startJob = jobLib + `
__job "$1" "$2"
umask 077
mkdir -p "${r%/*}" && mkdir "$job" && cat >"$job/all" || exit 1
__from=1
for __part in "supervisor $4" "program $5" "call $6"; do
	tail -c +"$__from" "$job/all" | head -c "${__part#* }" >"$job/${__part% *}" || exit 1
	__from=$((__from + ${__part#* }))
done
tail -c +"$__from" "$job/all" >"$job/in" || exit 1
rm -f "$job/all"
printf '{"started": 1, "finished": 0, "ansible_job_id": "%s"}\n' "$2" >"$r.tmp" && mv "$r.tmp" "$r" || exit 1
umask "$7"
__own=
if command -v setsid >/dev/null 2>&1; then __own=setsid; else trap '' HUP; fi
$__own sh "$job/supervisor" "$r" "$job" "$2" "$3" "$__own" </dev/null >/dev/null 2>&1 &
printf '%s\n' "$r"
`

// superviseJob runs the program of a job, ends it when its time is over (five seconds to tidy up, then by force), and writes what it
// came to. The watcher has a session of its own too, so that one kill of its group leaves nothing of it. When the job's file is gone,
// nobody wants the result.
const superviseJob = `r=$1 job=$2 id=$3 limit=$4 own=$5
echo $$ >"$job/pid"
start=$(date +%s.%N)
$own sh "$job/program" <"$job/in" >"$job/out" 2>"$job/err" &
child=$!
$own sh -c '
	sleep "$1"; : >"$2/late"; kill -15 -"$3" || kill -15 "$3"
	for n in 1 2 3 4 5; do kill -0 "$3" && sleep 1; done
	kill -9 -"$3" || kill -9 "$3"' watch "$limit" "$job" "$child" 2>/dev/null &
watch=$!
wait "$child" 2>/dev/null
rc=$?
end=$(date +%s.%N)
kill -9 "$watch" 2>/dev/null
kill -9 -"$watch" 2>/dev/null
text() {
	LC_ALL=C od -An -v -tu1 | LC_ALL=C awk '
	BEGIN {
		for (i = 0; i < 256; i++) { t[i] = i < 32 || i == 127 ? sprintf("\\u%04x", i) : sprintf("%c", i) }
		t[34] = "\\\""; t[92] = "\\\\"
	}
	{ for (i = 1; i <= NF; i++) printf "%s", t[$i + 0] }'
}
late=false
if [ -e "$job/late" ]; then late=true; kill -9 -"$child" 2>/dev/null; fi
umask 077
{
	printf '{"started": 1, "finished": 1, "ansible_job_id": "%s", "rc": %d, "stdout": "' "$id" "$rc" &&
		tail -n +2 "$job/out" | head -c 16777216 | text &&
		printf '", "stderr": "' && head -c 16777216 "$job/err" | text &&
		printf '", "hostler": {"head": "' && head -n 1 "$job/out" | head -c 4096 | text &&
		printf '", "late": %s, "child_pid": %d, "start": "%s", "end": "%s", "call": ' "$late" "$child" "$start" "$end" &&
		cat "$job/call" && printf '}}\n'
} >"$job/result" && [ -e "$r" ] && mv -f "$job/result" "$r"
rm -rf "$job"
`

// lookJob prints what there is of a job: first its file's path, then a word, then the file. With the mode "cleanup" it removes it, all
// of it when nothing of it runs any more.
const lookJob = jobLib + `
__job "$1" "$2"
__runs() { head -c 30 "$r" 2>/dev/null | grep -q '"finished": 0'; }
__alive() { [ ! -d "$job" ] || [ ! -e "$job/pid" ] || kill -0 "$(cat "$job/pid")" 2>/dev/null; }
if [ ! -f "$r" ]; then printf '%s\nnone\n' "$r"; exit 0; fi
if [ "$3" = cleanup ]; then
	if [ -d "$job" ] && { ! __runs || ! __alive; }; then rm -rf -- "$job"; fi
	rm -f -- "$r" || exit 1
	printf '%s\nerased\n' "$r"; exit 0
fi
__word=there
if __runs && [ -d "$job" ] && ! __alive && __runs; then __word=gone; fi
printf '%s\n%s\n' "$r" "$__word"
cat -- "$r"
`

// start starts the program as a job.
func (j *Job) start(ctx context.Context, h *Host, p Program) error {
	params, err := shell.Join(p.params(false)...)
	if err != nil {
		return fmt.Errorf("start the job: %w", err)
	}
	call, err := value.EncodeJSON(j.Call, value.JSONOptions{})
	if err != nil {
		return fmt.Errorf("keep the job's arguments: %w", err)
	}
	program := "set -- " + params + "\n" + guardScript
	blob := bytes.Join([][]byte{[]byte(superviseJob), []byte(program), []byte(call), p.input(false)}, nil)
	cmd := transport.Command{
		Env: h.opts.Env, Script: "set -- \"$@\" \"$(umask)\"\n" + startJob, Args: []string{
			j.Dir, j.ID, strconv.Itoa(max(1, int(j.Limit.Seconds()))),
			strconv.Itoa(len(superviseJob)), strconv.Itoa(len(program)), strconv.Itoa(len(call)),
		},
	}
	if len(blob) > maxStdin {
		cmd.Input = bytes.NewReader(blob)
	} else {
		cmd.Stdin = blob
	}
	out, err := h.opts.Conn.Exec(ctx, cmd)
	if err != nil {
		if text := strings.TrimSpace(Clean(out.Stderr)); out.Status != 0 && text != "" {
			return fmt.Errorf("could not start the job: %s", text)
		}
		return fmt.Errorf("could not start the job: %w", err)
	}
	j.File = strings.TrimSuffix(string(out.Stdout), "\n")
	return ErrDetached
}

// maxJobFile is how large a job's file may be: two streams of 16 MiB in which every byte needs six.
const maxJobFile = 200 << 20

// LookJob looks at a job of a host, or with erase removes its file. One that is not there is no error.
func LookJob(ctx context.Context, conn transport.Conn, dir, id string, erase bool) (JobState, error) {
	mode := "status"
	if erase {
		mode = "cleanup"
	}
	if strings.Contains(id, "/") || id == "" || id == "." || id == ".." {
		return JobState{File: dir + "/" + id}, nil
	}
	out, err := conn.Exec(ctx, transport.Command{Script: lookJob, Args: []string{dir, id, mode}, Retry: true, Limit: maxJobFile})
	if err != nil {
		return JobState{}, fmt.Errorf("look at the job %s: %w", id, err)
	}
	file, rest, _ := strings.Cut(string(out.Stdout), "\n")
	word, text, _ := strings.Cut(rest, "\n")
	s := JobState{File: file, Found: word != "none", Gone: word == "gone"}
	if word != "there" || strings.TrimSpace(text) == "" {
		return s, nil
	}
	v, err := value.DecodeJSON(Clean([]byte(text)))
	if err != nil {
		return s, fmt.Errorf("Could not parse job output: %w", err)
	}
	s.Data, _ = v.(*value.Dict)
	s.read()
	return s, nil
}

// read takes our own part of a job's file apart. A file without "started" is of a job of Ansible's that is done.
func (s *JobState) read() {
	if _, ok := s.Data.Get("started"); !ok {
		s.Finished = true
		return
	}
	finished, _ := s.Data.Get("finished")
	s.Finished = finished == 1
	v, _ := s.Data.Get("hostler")
	own, ok := v.(*value.Dict)
	if !ok || !s.Finished {
		return
	}
	late, _ := own.Get("late")
	s.Late = late == true
	call, _ := own.Get("call")
	s.Call, _ = call.(*value.Dict)
	status, _ := s.Data.Get("rc")
	rc, _ := status.(int)
	out := transport.Output{
		Stdout: []byte(own.Str("head") + s.Data.Str("stdout")), Stderr: []byte(s.Data.Str("stderr")), Status: rc, Start: epoch(own.Str("start")),
	}
	out.Duration = epoch(own.Str("end")).Sub(out.Start)
	s.Ran = &Ran{Output: out}
}

// epoch reads seconds since 1970 with a fraction, which not every date can give.
func epoch(text string) time.Time {
	whole, part, _ := strings.Cut(text, ".")
	sec, _ := strconv.ParseInt(whole, 10, 64)
	nano, err := strconv.ParseInt((part + "000000000")[:9], 10, 64)
	if err != nil {
		nano = 0
	}
	return time.Unix(sec, nano)
}

// Ended reports that the module's program ran before, as a job: RunUser gives what it came to, and nothing else is to be looked up.
func (h *Host) Ended() bool { return h.opts.Ended != nil }
