// Package journal keeps on disk how far a run got on each host, so that a run that broke can go on where it was: killed,
// interrupted, or stopped by a failure. Its main type is Journal. It knows nothing of tasks but where they stand.
//
// The file has one JSON record a line and is only ever appended to; a line that a crash cut short is dropped. Its mode is
// 0600: it holds the results that were registered, but for those that no_log hides.
package journal

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/sys/unix"
)

// Entry is a task that a host is done with.
type Entry struct {
	Host   string `json:"host"` // or a name for what one host did for all
	Path   string `json:"path"` // file:line
	Action string `json:"action"`
	// Again says that the result is not kept: the task is to run again.
	Again bool `json:"again,omitempty"`
	Result
}

// Result is what a task came to, or one item of its loop.
type Result struct {
	Changed     bool     `json:"changed,omitempty"`
	Skipped     bool     `json:"skipped,omitempty"`
	Failed      bool     `json:"failed,omitempty"`
	Unreachable bool     `json:"unreachable,omitempty"`
	Ignored     bool     `json:"ignored,omitempty"`
	Notify      []string `json:"notify,omitempty"`
	// Data and Set are JSON texts: what was registered, and the variables of set_fact. "" is none.
	Data      string   `json:"data,omitempty"`
	Set       string   `json:"set,omitempty"`
	Cacheable bool     `json:"cacheable,omitempty"`
	Looped    bool     `json:"looped,omitempty"`
	NoItems   bool     `json:"no_items,omitempty"`
	Items     []Result `json:"items,omitempty"`
}

// record is one line: exactly one field is set.
type record struct {
	Done *Entry `json:"done,omitempty"`
	// Stop are hosts that failed: what they did afterwards, in always sections, does not count.
	Stop []string `json:"stop,omitempty"`
	// Resume begins a further run, in which stopped hosts go on.
	Resume bool `json:"resume,omitempty"`
	// Cut drops what a host did after its first N tasks.
	Cut *cut `json:"cut,omitempty"`
	// File is a file of the playbook as it was read.
	File *file `json:"file,omitempty"`
}

type cut struct {
	Host string `json:"host"`
	N    int    `json:"n"`
}

type file struct {
	Path string `json:"path"`
	Sum  string `json:"sum"` // SHA-256 in hex
}

// Journal is one run's. It is safe for concurrent use.
type Journal struct {
	mu    sync.Mutex
	f     *os.File
	err   error // the first of writing: nothing is kept from then on
	files map[string]string
	hosts map[string]*progress
}

// progress is what a host did before, and how far a resumed run has taken that over.
type progress struct {
	done []Entry
	next int
	off  bool // stopped, while the file is read
}

// ErrBusy says that another run keeps the journal.
var ErrBusy = errors.New("another run of the same playbook is under way")

// Create begins an empty journal at path and takes it for this process until Close. Errors: ErrBusy.
func Create(path string) (*Journal, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of the journal: %w", err)
	}
	j, err := take(path, os.O_CREATE)
	if err != nil {
		return nil, err
	}
	if err := j.f.Truncate(0); err != nil {
		return nil, errors.Join(fmt.Errorf("empty the journal: %w", err), j.f.Close())
	}
	return j, nil
}

// Open reads the journal of a run that broke, to go on with it. Errors: ErrBusy, fs.ErrNotExist.
func Open(path string) (*Journal, error) {
	j, err := take(path, 0)
	if err != nil {
		return nil, err
	}
	if err := j.load(path); err != nil {
		return nil, errors.Join(err, j.f.Close())
	}
	j.write(record{Resume: true})
	return j, nil
}

func take(path string, flags int) (*Journal, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_APPEND|flags, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the journal: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		_ = f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, ErrBusy
		}
		return nil, fmt.Errorf("lock the journal: %w", err)
	}
	return &Journal{f: f, files: make(map[string]string), hosts: make(map[string]*progress)}, nil
}

// load reads the records and cuts off a line that is not whole.
func (j *Journal) load(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("read the journal: %w", err)
	}
	whole := bytes.LastIndexByte(text, '\n') + 1
	if err := j.f.Truncate(int64(whole)); err != nil {
		return fmt.Errorf("cut the journal: %w", err)
	}
	n := 0
	for line := range bytes.Lines(text[:whole]) {
		n++
		var r record
		if err := json.Unmarshal(line, &r); err != nil {
			return fmt.Errorf("read the journal: %s:%d: %w", path, n, err)
		}
		j.apply(r)
	}
	return nil
}

func (j *Journal) apply(r record) {
	switch {
	case r.Done != nil:
		if p := j.host(r.Done.Host); !p.off {
			p.done = append(p.done, *r.Done)
		}
	case r.Cut != nil:
		p := j.host(r.Cut.Host)
		p.done = p.done[:min(r.Cut.N, len(p.done))]
	case r.File != nil:
		j.files[r.File.Path] = r.File.Sum
	case r.Resume:
		for _, p := range j.hosts {
			p.off = false
		}
	default:
		for _, h := range r.Stop {
			j.host(h).off = true
		}
	}
}

func (j *Journal) host(name string) *progress {
	p, ok := j.hosts[name]
	if !ok {
		p = &progress{}
		j.hosts[name] = p
	}
	return p
}

// Files are the files that the run read, with the SHA-256 that each had then, in hex.
func (j *Journal) Files() map[string]string { return j.files }

// AddFile notes a file that the run reads.
func (j *Journal) AddFile(path, sum string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.files[path] != sum {
		j.files[path] = sum
		j.write(record{File: &file{Path: path, Sum: sum}})
	}
}

// Next gives the next task that the host was done with when the run broke. Strayed says that this is another task than the
// one asked for: the host goes another way now, and nothing of what it did from here on is taken over.
func (j *Journal) Next(host, path, action string) (e Entry, found, strayed bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	p := j.host(host)
	if p.next >= len(p.done) {
		return e, false, false
	}
	e = p.done[p.next]
	if e.Path != path || e.Action != action {
		p.done = p.done[:p.next]
		j.write(record{Cut: &cut{Host: host, N: p.next}})
		return Entry{}, false, true
	}
	p.next++
	return e, true, false
}

// Add notes a task that a host is done with.
func (j *Journal) Add(e Entry) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.write(record{Done: &e})
}

// Stop notes hosts whose last task is to be done again.
func (j *Journal) Stop(hosts ...string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.write(record{Stop: hosts})
}

// write appends a record in one piece; the system keeps it even when this process is killed the moment after.
func (j *Journal) write(r record) {
	if j.err != nil {
		return
	}
	line, err := json.Marshal(r)
	if err == nil {
		_, err = j.f.Write(append(line, '\n'))
	}
	if err != nil {
		j.err = fmt.Errorf("write the journal: %w", err)
	}
}

// Close ends the use of the journal and gives the first error of writing. A run that came to its end removes it.
func (j *Journal) Close(remove bool) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	err := j.err
	if remove {
		err = errors.Join(err, os.Remove(j.f.Name()))
	}
	return errors.Join(err, j.f.Close())
}
