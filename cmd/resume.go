package cmd

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/hostlerhq/hostler/playbook"
	"github.com/hostlerhq/hostler/run"
	"github.com/hostlerhq/hostler/run/journal"
	"github.com/spf13/pflag"
)

// resumeFlags are about going on with a run that broke.
type resumeFlags struct {
	resume, noJournal bool
}

func (f *resumeFlags) add(fs *pflag.FlagSet) {
	fs.BoolVar(&f.resume, "resume", false, "go on where the last run of the same command broke: what hosts were done with is not done again")
	fs.BoolVar(&f.noJournal, "no-journal", false, "keep nothing on disk; this run cannot be resumed")
}

// filesRead notes the files that a loader reads, and tells them to the journal once there is one.
type filesRead struct {
	mu      sync.Mutex
	sums    map[string]string
	journal *journal.Journal
}

// watch makes a loader note what it reads.
func watch(l *playbook.Loader) *filesRead {
	f := &filesRead{sums: make(map[string]string)}
	open := l.Open
	l.Open = func(path string) ([]byte, error) {
		text, err := open(path)
		if err == nil {
			f.note(path)
		}
		return text, err
	}
	return f
}

func (f *filesRead) note(path string) {
	path, sum, err := fileSum(path)
	if err != nil {
		return // it was read a moment ago; a run that is resumed finds it missing
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.sums[path] = sum
	if f.journal != nil {
		f.journal.AddFile(path, sum)
	}
}

func (f *filesRead) tell(j *journal.Journal) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.journal = j
	for path, sum := range f.sums {
		j.AddFile(path, sum)
	}
}

// fileSum gives a file's absolute name and the SHA-256 of what is in it, a vaulted one as it is on disk.
func fileSum(path string) (abs, sum string, err error) {
	if abs, err = filepath.Abs(path); err != nil {
		return path, "", err
	}
	text, err := os.ReadFile(abs)
	if err != nil {
		return abs, "", err
	}
	hash := sha256.Sum256(text)
	return abs, hex.EncodeToString(hash[:]), nil
}

// open gives the run its journal: that of the run that broke, or a new one. A run that only looks has none, nor has one under
// Ansible's names, for Ansible leaves nothing on the controller.
func (f *resumeFlags) open(ss *session, read *filesRead, paths []string) error {
	if f.resume && (ss.opts.Check || f.noJournal) {
		return hintError{optionsError{errors.New("--resume goes neither with --check nor with --no-journal")}, "check mode changes nothing that could be taken over"}
	}
	if f.noJournal || ss.opts.Check || ss.s.compat && !f.resume {
		return nil
	}
	path, err := journalPath(ss, paths)
	if err == nil && f.resume {
		err = f.takeUp(ss, path)
	} else if err == nil {
		ss.opts.Journal, err = journal.Create(path)
	}
	switch {
	case err == nil:
		read.tell(ss.opts.Journal)
	case f.resume:
		return err
	case errors.Is(err, journal.ErrBusy) || ss.opts.Verbosity > 0:
		fmt.Fprintf(ss.s.Err, "[WARNING]: this run cannot be resumed should it break: %v\n", err)
	}
	return nil
}

// takeUp opens the journal of the run that broke. A playbook that is not the same any more is refused: where its tasks
// stand is how they are known again.
func (f *resumeFlags) takeUp(ss *session, path string) error {
	j, err := journal.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return hintError{errors.New("there is no run to resume"), "the last run with this playbook, inventory, --limit and tags came to its end, or there was none on this machine"}
	}
	if err != nil {
		return err
	}
	var changed []string
	for name, sum := range j.Files() {
		if _, now, err := fileSum(name); err != nil || now != sum {
			changed = append(changed, name)
		}
	}
	if len(changed) > 0 {
		slices.Sort(changed)
		return errors.Join(hintError{
			fmt.Errorf("cannot resume: changed since the run that broke: %s", strings.Join(changed, ", ")),
			"run it from the start, without --resume; what is done already is found done",
		}, j.Close(false))
	}
	ss.opts.Journal = j
	return nil
}

// journalPath is the same for runs of the same playbooks with the same inventory, --limit and tags.
func journalPath(ss *session, paths []string) (string, error) {
	state := ss.s.Env("XDG_STATE_HOME")
	if !filepath.IsAbs(state) {
		home := ss.s.Env("HOME")
		if home == "" {
			return "", errors.New("neither HOME nor XDG_STATE_HOME says where to keep its journal")
		}
		state = filepath.Join(home, ".local", "state")
	}
	same := []string{ss.opts.Limit, fmt.Sprint(ss.opts.Tags), fmt.Sprint(ss.opts.SkipTags)}
	for _, p := range slices.Concat(paths, ss.opts.InventorySources) {
		if abs, err := filepath.Abs(p); err == nil && !strings.Contains(p, ",") {
			p = abs
		}
		same = append(same, p)
	}
	sum := sha256.Sum256([]byte(strings.Join(same, "\x00")))
	return filepath.Join(state, "hostler", "runs", hex.EncodeToString(sum[:8])+".jsonl"), nil
}

// closeJournal keeps the journal of a run that is to be resumed, and removes it else.
func closeJournal(ss *session, result run.Result, err error) {
	if ss.opts.Journal == nil {
		return
	}
	broke := err != nil || result.Interrupted || result.BrokenOff || len(result.Failed)+len(result.Unreachable) > 0
	if err := ss.opts.Journal.Close(!broke); err != nil {
		fmt.Fprintf(ss.s.Err, "[WARNING]: this run cannot be resumed: %v\n", err)
	}
	ss.opts.Journal = nil // a second run, for --assert-idempotent, does all again
}
