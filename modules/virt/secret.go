package virt

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"

	"github.com/hostlerhq/hostler/internal/libvirt"
	"github.com/hostlerhq/hostler/internal/secret"
	"github.com/hostlerhq/hostler/modules"
)

//go:embed secret.go
var secretSource string

// Secret sees to a secret that libvirt keeps.
var Secret = modules.Define("virt_secret", secretSource+virshSource, runSecret, modules.Converges())

// SecretArgs see to a secret that libvirt keeps for pools and disks. It is known by what it is for, and gets the same UUID on every host, so
// that one definition of a domain fits all of them. The value goes to the host by standard input and is compared by hashes.
//
//	# The key by which guests reach their disks in Ceph.
//	- virt_secret:
//	    usage_type: ceph
//	    usage_id: client.libvirt secret
//	    value: "{{ vault_ceph_key }}"
type SecretArgs struct {
	// UsageType is what the secret is for.
	UsageType SecretUsage `arg:"usage_type" default:"ceph"`
	// UsageID tells it from others of its type: the name, the volume's path or the target.
	UsageID string `arg:"usage_id" required:"true"`
	// State is whether the secret shall be there.
	State modules.Presence `arg:"state" default:"present"`
	// UUID of a new secret; made of type and id when empty.
	UUID string `arg:"uuid"`
	// Value is the secret itself; without one the secret is only defined.
	Value secret.Text `arg:"value"`
	// Encoding is how value is written: base64 as Ceph's keys are, or raw.
	Encoding SecretEncoding `arg:"encoding" default:"base64"`
	// Private secrets libvirt gives to nobody; whether the value is the right one then is known by a salted hash kept on the host.
	Private bool `arg:"private"`
	// Ephemeral secrets are gone when libvirt's daemon ends.
	Ephemeral bool `arg:"ephemeral"`
	// Description for people.
	Description string `arg:"description"`
	Place
}

// SecretUsage is what a secret is for.
type SecretUsage string

// Choices lists the types.
func (SecretUsage) Choices() []string { return []string{"ceph", "iscsi", "volume", "tls", "vtpm"} }

// SecretEncoding is how a value is written.
type SecretEncoding string

// Choices lists the ways.
func (SecretEncoding) Choices() []string { return []string{"base64", "raw"} }

// SecretResult tells of the secret, not its value.
type SecretResult struct {
	// UUID of the secret.
	UUID string `json:"uuid"`
}

// Check refuses what cannot be.
func (a SecretArgs) Check() error {
	switch {
	case strings.TrimSpace(a.UsageID) == "" || strings.ContainsFunc(a.UsageID, unicode.IsControl):
		return &modules.ArgError{Path: []any{"usage_id"}, Msg: fmt.Sprintf("usage_id %q cannot be", a.UsageID)}
	case a.UsageType == "volume" && !strings.HasPrefix(a.UsageID, "/"):
		return &modules.ArgError{Path: []any{"usage_id"}, Msg: "usage_id of a volume's secret is the volume's path"}
	}
	if a.UUID != "" {
		if _, err := libvirt.ParseUUID(a.UUID); err != nil {
			return &modules.ArgError{Path: []any{"uuid"}, Msg: "uuid " + err.Error()}
		}
	}
	_, err := a.bytes()
	return err
}

// bytes is the value as libvirt is to keep it; nil when there is none.
func (a SecretArgs) bytes() ([]byte, error) {
	text := a.Value.Reveal()
	if text == "" {
		return nil, nil
	}
	data := []byte(text)
	if a.Encoding == "base64" {
		// virsh takes anything for base64 and keeps what comes out of it.
		bare := strings.TrimRight(strings.Join(strings.Fields(text), ""), "=")
		var err error
		if data, err = base64.RawStdEncoding.DecodeString(bare); err != nil {
			return nil, &modules.ArgError{Path: []any{"value"}, Msg: "value is no base64; encoding: raw takes it as it is"}
		}
	}
	if a.UsageType == "ceph" && a.Encoding == "base64" && len(data) < 28 {
		return nil, &modules.ArgError{Path: []any{"value"}, Msg: fmt.Sprintf("value is no key of Ceph: it has %d bytes, and a key has 28 with its header", len(data))}
	}
	return data, nil
}

// secretProbe tells of the secrets: $1 the URI, $2 the id as XML has it. Of the one that it may be it tells a hash of the value, and what was
// noted of it. Where notes lie is told too.
const secretProbe = virshLib + `names secret-list
say version "$(virsh --version)"
if [ "$(id -u)" = 0 ]; then dir=/var/lib/libvirt/hostler; else dir=${XDG_STATE_HOME:-$HOME/.local/state}/hostler; fi
say dir "$dir"
printf '%s\n' "$names" | sed -n 's/^ *\([0-9a-f][0-9a-f-]\{35\}\).*/\1/p' | {
	k=0
	while IFS= read -r u; do
		x=$(v secret-dumpxml --secret "$u" 2>/dev/null) || continue
		case $x in *">$1</"*) ;; *) continue ;; esac
		k=$((k + 1)); say "xml$k" "$x"
		case $x in *"private='yes'"*) ;; *) say "hash$k" "$(v secret-get-value --secret "$u" 2>/dev/null | tr -d '\n' | sha256sum)" ;; esac
		if [ -f "$dir/secret-$u" ]; then show "note$k" "$dir/secret-$u"; fi
	done
}
exit 0
`

// kept is what a look told of a secret.
type kept struct {
	version    libvirt.Version
	dir        string
	exists     bool
	uuid       string
	doc        *libvirt.Node
	hash       string // of the value as base64, "" when it cannot be read
	salt, note string // what was noted of the value
}

func parseSecret(r *modules.Report, a SecretArgs) (kept, error) {
	k := kept{dir: r.Text("dir")}
	if err := reached(r); err != nil {
		return k, err
	}
	var err error
	if k.version, err = libvirt.ParseVersion(r.Text("version")); err != nil {
		return k, err
	}
	for i := 1; r.Has("xml" + strconv.Itoa(i)); i++ {
		doc, err := libvirt.ParseRoot(r.Text("xml"+strconv.Itoa(i)), "secret")
		if err != nil {
			return k, fmt.Errorf("read what a secret is: %w", err)
		}
		u := doc.At("usage")
		if u.Attr("type") != string(a.UsageType) || u.Val(a.usageElement()) != a.UsageID {
			continue
		}
		k.exists, k.doc, k.uuid = true, doc, doc.Val("uuid")
		k.hash, _, _ = strings.Cut(r.Text("hash"+strconv.Itoa(i)), " ")
		k.salt, k.note, _ = strings.Cut(strings.TrimSpace(r.Text("note"+strconv.Itoa(i))), " ")
	}
	return k, nil
}

// usageElement is the element of <usage> that holds the id.
func (a SecretArgs) usageElement() string {
	switch a.UsageType {
	case "volume":
		return "volume"
	case "iscsi":
		return "target"
	}
	return "name"
}

func runSecret(ctx context.Context, h *modules.Host, a SecretArgs) (SecretResult, error) {
	data, err := a.bytes()
	if err != nil {
		return SecretResult{}, err
	}
	id := libvirt.New("x", a.UsageID).String()
	id = strings.TrimSuffix(strings.TrimPrefix(id, "<x>"), "</x>\n")
	job := secretJob{SecretArgs: a, data: data}
	_, after, err := modules.Reconcile(ctx, h, modules.Reconciler[kept]{
		Probe: secretProbe, Args: []string{string(a.URI), id}, Lock: lockName("secret", string(a.UsageType)+"/"+a.UsageID),
		Parse: func(r *modules.Report) (kept, error) { return parseSecret(r, a) },
		Plan:  job.plan,
	})
	return SecretResult{UUID: after.uuid}, explain(err)
}

type secretJob struct {
	SecretArgs
	data []byte
}

func (j secretJob) title() string { return string(j.UsageType) + " " + j.UsageID }

func (j secretJob) plan(k kept) ([]modules.Action, error) {
	if j.State == modules.Absent {
		if !k.exists {
			return nil, nil
		}
		return []modules.Action{
			virsh(j.Place, "remove secret "+j.title(), "secret-undefine", "--secret", k.uuid),
			{Why: "forget secret " + j.title(), Argv: []string{"rm", "-f", "--", k.dir + "/secret-" + k.uuid}},
		}, nil
	}
	uuid, err := j.uuid(k)
	if err != nil {
		return nil, err
	}
	var actions []modules.Action
	want := j.build(uuid)
	if !k.exists || len(libvirt.Compare(want, k.doc, nil)) > 0 {
		actions = append(actions, withFile(j.Place, "define secret "+j.title(), want.String(), "--file", append([]string{"secret-define"}, validate(k.version)...)...))
	}
	if j.data == nil || j.known(k) {
		return actions, nil
	}
	text := base64.StdEncoding.EncodeToString(j.data)
	actions = append(actions, withFile(j.Place, "set the value of secret "+j.title(), text, "--file", "secret-set-value", "--secret", uuid))
	if j.Private {
		salt, err := newSalt()
		if err != nil {
			return nil, err
		}
		actions = append(actions, modules.Action{
			Why: "note that the value of secret " + j.title() + " is set", Script: noteScript, Args: []string{k.dir, "secret-" + uuid, salt + " " + salted(salt, text)},
		})
	}
	return actions, nil
}

// uuid is the secret's: the one that it has, or the one that it is to get.
func (j secretJob) uuid(k kept) (string, error) {
	want, err := libvirt.ParseUUID(j.UUID)
	switch {
	case j.UUID == "" && k.exists:
		return k.uuid, nil
	case j.UUID == "":
		return libvirt.NameUUID("secret", string(j.UsageType), j.UsageID), nil
	case err != nil:
		return "", err
	case k.exists && k.uuid != want:
		return "", fmt.Errorf("secret %s is there with UUID %s, wanted %s: pools and domains may refer to it; state: absent removes it", j.title(), k.uuid, want)
	}
	return want, nil
}

// build makes the definition.
func (j secretJob) build(uuid string) *libvirt.Node {
	word := func(b bool) string { return map[bool]string{true: "yes", false: "no"}[b] }
	doc := libvirt.New("secret", "", "ephemeral", word(j.Ephemeral), "private", word(j.Private)).Add(libvirt.New("uuid", uuid))
	if j.Description != "" {
		doc.Add(libvirt.New("description", j.Description))
	}
	return doc.Add(libvirt.New("usage", "", "type", string(j.UsageType)).Add(libvirt.New(j.usageElement(), j.UsageID)))
}

// known reports whether the value is the right one already. What a private secret holds only the note tells.
func (j secretJob) known(k kept) bool {
	text := base64.StdEncoding.EncodeToString(j.data)
	if j.Private {
		return k.exists && k.note != "" && k.note == salted(k.salt, text)
	}
	sum := sha256.Sum256([]byte(text))
	return k.hash == hex.EncodeToString(sum[:])
}

func salted(salt, text string) string {
	sum := sha256.Sum256([]byte(salt + "\x00" + text))
	return hex.EncodeToString(sum[:])
}

func newSalt() (string, error) {
	var raw [16]byte
	if _, err := rand.Read(raw[:]); err != nil {
		return "", errors.New("draw a salt: no random numbers")
	}
	return hex.EncodeToString(raw[:]), nil
}

// noteScript: folder, file, text.
const noteScript = `umask 077
mkdir -p -- "$1" && t=$(mktemp "$1/.note.XXXXXX") && printf '%s\n' "$3" >"$t" && mv -f -- "$t" "$1/$2"`
