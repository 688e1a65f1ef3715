// Package transport reaches one host: it runs commands there and moves files.
// Its main type is Conn; a Pool opens Conns over SSH or on this machine, for a
// user or, through sudo, su or doas, for another. It knows nothing of playbooks.
//
// It reads ssh_config with a parser of its own: kevinburke/ssh_config gives up a whole file for one
// "Match exec" and knows no Match, tokens or canonical order, which decide where a host is reached. ssh -G is
// the judge of ours in the tests.
//
// Files move through exec sessions alone, so they need no SFTP subsystem, work the same under sudo and clean up
// after a cut by themselves. That costs nothing: x/crypto and OpenSSH give every channel the same 2 MiB window.
// 256 MiB took as long through exec as over SFTP with concurrent writes: 1.5 s up and 1.2 s down, and 3.1 to 3.5 s
// with 20 ms of round trip (OpenSSH 9.2; BenchmarkBulk in integration/transport).
package transport

import (
	"context"
	"io"
	"io/fs"
	"net"
	"time"

	"github.com/hostlerhq/hostler/internal/secret"
)

// Conn is one host as one user. All methods are safe for concurrent use and end
// early when their context does; the remote process is then killed.
type Conn interface {
	// Exec runs a command to its end. A status other than 0 is an *ExitError, and the
	// Output is then valid all the same.
	Exec(ctx context.Context, cmd Command) (Output, error)
	// Put writes a file atomically: a temporary file beside it, fsync, rename.
	Put(ctx context.Context, path string, r io.Reader, opts PutOptions) error
	// Get reads a file. A missing one is fs.ErrNotExist.
	Get(ctx context.Context, path string) (io.ReadCloser, error)
	Close() error
}

// Tunneler is a Conn that can open TCP connections from the host (direct-tcpip).
type Tunneler interface {
	DialContext(ctx context.Context, network, address string) (net.Conn, error)
}

// Reconnecter is a Conn that can prove, over a connection of its own made now,
// that the host still answers.
type Reconnecter interface {
	Reconnect(ctx context.Context) error
	// Remote reports whether there is a connection at all; to this machine there is none.
	Remote() bool
}

// Command is a program to run. Exactly one of Argv, Script and Raw is set.
type Command struct {
	// Argv is a program and its arguments; no shell sees them.
	Argv []string
	// Script is constant POSIX sh text, run with Args as $1, $2 …. Values never go into Script.
	Script string
	Args   []string
	// Raw is text for the user's login shell, one exec of its own (module raw). No worker,
	// no framing: it works where there is no POSIX sh.
	Raw string

	Dir string            // where it runs; "" is the home directory
	Env map[string]string // added to the environment
	// Stdin is small input (up to some KiB it travels with the command); nil is /dev/null.
	Stdin []byte
	// Input is large or endless input; it gets a session of its own.
	Input io.Reader
	// Duplex marks a program that talks with whoever gives its Input: every byte of its stdout is handed on at once. Otherwise
	// some may wait for the next, while they could begin the mark of the end.
	Duplex bool
	// Stdout and Stderr take the output as it comes; what they take is not in Output.
	Stdout, Stderr io.Writer
	// User marks a program of the user's, which may leave children behind: a worker that one
	// was left on is retired, so that what it prints later never mixes with a later command's output.
	User bool
	// TTY asks for a terminal; stderr is then part of stdout.
	TTY bool
	// Limit is how many bytes of each stream stay in memory; the rest spills to a file on the
	// controller. 0 is DefaultLimit.
	Limit int64
	// Header says that the first line of stdout is the caller's own: the file that long output spills to lacks it.
	Header bool
	// Timeout ends the command; 0 is none. The error is a *TimeoutError.
	Timeout time.Duration
	// Retry marks a command that only looks: it may run again after the connection broke.
	Retry bool
}

// DefaultLimit is how much of each output stream stays in memory: 16 MiB.
const DefaultLimit = 16 << 20

// Output is what a command printed and when it ran (controller's clock).
type Output struct {
	Stdout, Stderr []byte
	Status         int
	Start          time.Time
	Duration       time.Duration
	// StdoutFile and StderrFile hold the whole stream where it was longer than the limit; Stdout
	// and Stderr then hold its beginning. The Pool removes them when it closes.
	StdoutFile, StderrFile string
}

// PutOptions say what the file shall be. Zero values keep what is there, or give what a
// new file gets.
type PutOptions struct {
	Mode         fs.FileMode // permission bits with setuid, setgid, sticky as Go has them; used when HasMode
	HasMode      bool
	Owner, Group string // name or number
	Context      string // SELinux context, as for chcon
	Size         int64  // bytes to come, for progress and for choosing the way; 0 is unknown
	// Validate is a command with %s where the temporary file's path goes; a status other than 0
	// refuses the file. It is split as a shell splits words.
	Validate string
	// IfHash refuses (ErrChanged) when the file's SHA-256 (hex) is another, "" when not asked,
	// "absent" when there must be no file.
	IfHash string
	// Sparse makes holes of long runs of zeros.
	Sparse bool
	// Progress is called now and then with the bytes sent so far.
	Progress func(sent int64)
}

// Endpoint is how to reach a host: what inventory, settings and command line say, rendered.
// Equal endpoints share one connection.
type Endpoint struct {
	// Name is the inventory's name, for messages; it is no part of the identity.
	Name string
	// Kind is "ssh" or "local".
	Kind string
	// Dir is where commands start on a "local" one; "" is this process's own folder.
	Dir string
	// Host is what to connect to: a name, an address or an alias of ssh_config.
	Host string
	// Port 0 and User "" leave it to ssh_config, then to 22 and the local user.
	Port     int
	User     string
	Password secret.Text
	// KeyFiles are private keys to offer first; their passphrase is asked for by Pool's Prompt.
	KeyFiles []string
	// CommonArgs and ExtraArgs are ssh(1) arguments (ansible_ssh_common_args …): -o, -J, -i, -p, -l, -F,
	// -A and -v forms are understood, an unknown one is an error naming it.
	Args []string
	// HostKeys says how host keys are checked: "strict", "accept-new" or "off"; "" leaves it to ssh_config,
	// then strict.
	HostKeys   string
	KnownHosts []string // files; empty is ssh_config's, then ~/.ssh/known_hosts and /etc/ssh/ssh_known_hosts
	// ConnectTimeout 0 is ssh_config's, then 10 s. Retries is how often connecting is tried again.
	ConnectTimeout time.Duration
	Retries        int
}

// Become is who commands run as. The zero value is the login user.
type Become struct {
	Method   string // "sudo", "su", "doas"; "" is none
	User     string // "" is root
	Password secret.Text
	Exe      string   // the program in place of sudo …
	Flags    []string // for sudo in place of -H -S -n
}
