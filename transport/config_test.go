package transport

import (
	"bufio"
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const configText = `
# everything that users rely on
Host web* !web9
    HostName %h.example.com
    User deploy
    IdentityFile ~/.ssh/web_key
    IdentityFile "~/.ssh/with blank"
Host=web1
    Port = 2201
    ProxyJump jump1,admin@jump2:2222
Host web2 web3
    ProxyCommand nc -X 5 %h %p # no comment here
    ServerAliveInterval 1m30s
    StrictHostKeyChecking accept-new
Match originalhost db* user root
    Port 2299
Match originalhost db* exec "test %h = db1"
    ConnectTimeout 7
Match host *.example.com
    HostKeyAlias alias-%h
    ServerAliveCountMax 9
Match final host web2.example.com
    ConnectionAttempts 4
Host inc*
    Include extra/*.conf
Host db1
    User root
    ProxyJump none
Host *
    User everyone
    IdentitiesOnly yes
    UserKnownHostsFile ~/.ssh/kh1 ~/.ssh/kh2
    ControlMaster auto
    ControlPath ~/.ssh/%C
`

// TestConfigAgainstSSH has ssh -G say what its own reading of the same file is.
func TestConfigAgainstSSH(t *testing.T) {
	if _, err := exec.LookPath("ssh"); err != nil {
		t.Fatal("ssh is the judge here: install openssh-client")
	}
	home := t.TempDir()
	dir := filepath.Join(home, ".ssh")
	if err := os.MkdirAll(filepath.Join(dir, "extra"), 0o700); err != nil {
		t.Fatal(err)
	}
	extra := filepath.Join(dir, "extra", "a.conf")
	// ssh takes ~ and relative includes from the passwd entry, not from HOME: the files name the folder.
	text := strings.NewReplacer("~/", home+"/", "extra/*", filepath.Join(dir, "extra", "*")).Replace(configText)
	config := filepath.Join(dir, "config")
	for path, text := range map[string]string{config: text, extra: "Port 2300\nHost incX\nPort 1\nHost other\nUser never\nMatch all\nConnectTimeout 3\n"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cases := []struct {
		host string
		args []string
	}{
		{host: "web1"},
		{host: "web2"},
		{host: "web3"},
		{host: "web9"},
		{host: "db1"},
		{host: "db2"},
		{host: "inc1"},
		{host: "other"},
		{"web1", []string{"-o", "Port=9", "-oUser=me", "-J", "none", "-i", config}},
		{"db1", []string{"-p", "77", "-l", "root", "-o", "StrictHostKeyChecking no"}},
		{"db3", []string{"-lroot", "-4", "-q", "-tt", "-o", "ControlPersist=60s"}},
	}
	for _, tc := range cases {
		t.Run(strings.Join(append([]string{tc.host}, tc.args...), " "), func(t *testing.T) {
			args := append([]string{"-F", config}, tc.args...)
			want := sshG(t, append(slices.Clone(args), tc.host))
			r := &configReader{local: newLocalSide()}
			s, err := r.settings(Endpoint{Host: tc.host, Args: args})
			if err != nil {
				t.Fatal(err)
			}
			proxy := s.jump
			got := map[string]string{
				"hostname": s.host, "user": s.user, "port": strconv.Itoa(s.port), "proxyjump": proxy,
				"connectionattempts": strconv.Itoa(s.attempts), "serveralivecountmax": strconv.Itoa(s.aliveCount),
				"hostkeyalias": s.hostKeyAlias, "userknownhostsfile": strings.Join(s.userKnown, " "),
			}
			if want["connecttimeout"] != "none" {
				got["connecttimeout"] = strconv.Itoa(int(s.connectTimeout.Seconds()))
			}
			if want["serveraliveinterval"] != "0" { // ours is never off by itself
				got["serveraliveinterval"] = strconv.Itoa(int(s.aliveInterval.Seconds()))
			}
			for key, value := range got {
				if value != want[key] {
					t.Errorf("%s is %q, ssh says %q", key, value, want[key])
				}
			}
			if files := strings.Join(slices.Concat(s.identityFiles), "\n"); len(s.identityFiles) > 0 && files != want["identityfile"] {
				t.Errorf("keys %q, ssh says %q", files, want["identityfile"])
			}
			checking := map[string]string{"true": "strict", "ask": "strict", "accept-new": "accept-new", "false": "off"}[want["stricthostkeychecking"]]
			if s.checking != checking {
				t.Errorf("host keys %s, ssh says %s", s.checking, want["stricthostkeychecking"])
			}
		})
	}
}

// sshG is what ssh -G prints; repeated keys are joined by newlines.
func sshG(t *testing.T, args []string) map[string]string {
	t.Helper()
	out, err := exec.Command("ssh", append([]string{"-G"}, args...)...).Output()
	if err != nil {
		t.Fatalf("ssh -G: %v", err)
	}
	values := map[string]string{}
	lines := bufio.NewScanner(bytes.NewReader(out))
	for lines.Scan() {
		key, value, _ := strings.Cut(lines.Text(), " ")
		if old, ok := values[key]; ok {
			value = old + "\n" + value
		}
		values[key] = value
	}
	return values
}

func TestArgsRefused(t *testing.T) {
	for arg, says := range map[string]string{
		"-Z": "-Z", "-o Fancy=1": "Fancy", "-o": "missing", "-G": "no meaning", "host": "want an option", "-o Port": "missing", "-o Host=x": "belongs into a file",
	} {
		_, err := parseSSHArgs(strings.Fields(arg))
		if option, ok := strings.CutPrefix(arg, "-o "); ok {
			_, err = parseSSHArgs([]string{"-o", option})
		}
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v, want an error with %q", arg, err, says)
		}
	}
}

func TestConfigMistakes(t *testing.T) {
	for text, says := range map[string]string{
		"User \"ann\nPort 1":    "config:1: a quote is not closed",
		"Port":                  "config:1: Port has no value",
		"\nMatch sometimes yes": "config:2: unknown Match criterion",
		"Port http":             "want a number",
		"HostName %q":           "unknown token %q",
	} {
		path := filepath.Join(t.TempDir(), "config")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		r := &configReader{local: newLocalSide()}
		_, err := r.settings(Endpoint{Host: "h", Args: []string{"-F", path}})
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v, want an error with %q", text, err, says)
		}
	}
}

// FuzzConfigWord: what is quoted as ssh_config(5) says comes back whole, whatever it holds.
func FuzzConfigWord(f *testing.F) {
	for _, seed := range []string{"a", "b c", `it's`, `"`, `\`, "#", "", "a=b"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, word string) {
		quoted := `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(word) + `"`
		got, err := splitWords(quoted + " next # comment")
		if err != nil || !slices.Equal(got, []string{word, "next"}) {
			t.Errorf("%q gave %q, %v", quoted, got, err)
		}
	})
}
