package images

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"hash/fnv"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hostlerhq/hostler/modules"
)

// Hosts pass an image on by what every host of guests has: qemu-nbd reads it out under TLS with a key that is made for this one time, and
// qemu-img on the other host copies it. The key reaches both by their standard input. What came must have the checksum that the
// controller knows, so that a host can pass on nothing else; for that reason what was unpacked or converted is not passed on.

// holderProbe: checksum. It tells of an image with that checksum, and of the host's addresses with the names of their interfaces.
const holderProbe = stateLib + `
records /
for r in "${records%/*}"/*/*; do
	[ -f "$r" ] && grep -Fqx -e "checksum $1" "$r" && grep -Fqx -e 'whole yes' "$r" || continue
	p=$(sed -n 's/^path //p' "$r")
	[ -f "$p" ] && [ "stat $(stat -c '%s %Y' "$p")" = "$(grep '^stat ' "$r")" ] || continue
	say path "$p"
	say size "$(stat -c %s "$p")"
	command -v qemu-nbd >/dev/null 2>&1 && command -v timeout >/dev/null 2>&1 && say nbd 1
	say near "$(set -- $SSH_CONNECTION; echo "$3")"
	say addresses "$(ip -o -4 addr show up 2>/dev/null | awk '{ print $2, $4 }')"
	break
done
exit 0
`

// offerScript: file. The key comes by standard input. It tells of the port and of the folder that withdrawScript wants; the server ends by itself
// after an hour, and takes the key away.
const offerScript = `umask 077
t=$(mktemp -d "${TMPDIR:-/tmp}/hostler.XXXXXX") || exit 1
trap 'rm -rf -- "$t"; exit 1' HUP INT TERM
cat >"$t/keys.psk" || { rm -rf -- "$t"; exit 1; }
n=0
while [ "$n" -lt 10 ]; do
	port=$((49152 + $(od -An -N2 -tu2 /dev/urandom) % 16384))
	rm -f "$t/pid"
	{
		timeout 3600 qemu-nbd --persistent --shared=2 --read-only --format=raw --object "tls-creds-psk,id=t,dir=$t,endpoint=server" --tls-creds=t \
			--port="$port" --pid-file="$t/pid" -- "$1"
		[ ! -e "$t/on" ] || rm -rf -- "$t"
	} </dev/null >"$t/log" 2>&1 &
	job=$!
	while [ ! -s "$t/pid" ] && kill -0 "$job" 2>/dev/null; do sleep 0.1 2>/dev/null || sleep 1; done
	if [ -s "$t/pid" ]; then : >"$t/on"; say port "$port"; say at "$t"; exit 0; fi
	n=$((n + 1))
done
cat "$t/log" >&2
rm -rf -- "$t"
exit 1
`

// withdrawTime is how long the end of a run waits for another host to offer nothing any longer.
const withdrawTime = 10 * time.Second

// withdrawScript: folder.
const withdrawScript = `[ ! -s "$1/pid" ] || kill "$(cat "$1/pid")" 2>/dev/null
rm -rf -- "$1"`

// receiveScript: folder, algorithm, digest, size, port, addresses. The key comes by standard input.
const receiveScript = examineLib + `umask 077
dir=$1 alg=$2 want=$3 size=$4 port=$5 member= packed=
shift 5
t=$(mktemp -d "${TMPDIR:-/tmp}/hostler.XXXXXX") && f=$(mktemp "$dir/.hostler-image.XXXXXX") || exit 1
trap 'rm -rf -- "$t"' EXIT
trap 'rm -f -- "$f"; exit 1' HUP INT TERM
cat >"$t/keys.psk" || exit 1
creds="tls-creds-psk,id=t,dir=$t,endpoint=client,username=hostler"
for a in "$@"; do
	from="file.driver=nbd,file.host=$a,file.port=$port,file.tls-creds=t"
	timeout 8 qemu-img info --object "$creds" --image-opts "driver=raw,$from" >/dev/null 2>&1 </dev/null || continue
	if qemu-img convert --object "$creds" --image-opts "driver=raw,$from" -O raw "$f" </dev/null && truncate -s "$size" "$f"; then examine "$f"; exit 0; fi
	rm -f -- "$f"; exit 1
done
rm -f -- "$f"
say unreachable 1
`

// holder is another host that has the image.
type holder struct {
	*modules.Host
	path      string
	size      int64
	addresses []string // to reach it by; none when it cannot offer anything
}

// at once is how many hosts are asked at the same time.
const atOnce = 8

// fromPeers has another host of the play pass the image on. Where none has it, it keeps all others waiting until this host is done, so that
// the controller sends it only once; ok is false then.
func (c *courier) fromPeers(ctx context.Context) (got fetched, ok bool, err error) {
	if len(c.h.Peers()) == 0 {
		return got, false, nil
	}
	p, err := c.findHolder(ctx)
	if err != nil {
		return got, false, err
	}
	if p == nil {
		release, err := c.h.Alone(ctx, "cloud_image "+c.origin.digest)
		if err != nil {
			return got, false, err
		}
		c.release = release
		if p, err = c.findHolder(ctx); err != nil || p == nil {
			return got, false, err
		}
		c.close()
	}
	release, err := c.h.Alone(ctx, "cloud_image from "+p.Name())
	if err != nil {
		return got, false, err
	}
	defer release()
	got, err = c.receive(ctx, p)
	if err != nil && modules.LostHost(ctx, err) == nil {
		c.h.Warn("%s does not pass on %s: %v", p.Name(), c.origin.what, err)
		return fetched{}, false, nil
	}
	return got, err == nil, err
}

// findHolder asks the play's other hosts, each host beginning with another one, so that they do not all come to the same.
func (c *courier) findHolder(ctx context.Context) (*holder, error) {
	names := c.h.Peers()
	hash := fnv.New32a()
	_, _ = hash.Write([]byte(c.h.Name())) // never fails, hash says
	first := int(hash.Sum32() % uint32(len(names)))
	names = append(append([]string(nil), names[first:]...), names[:first]...)
	for len(names) > 0 {
		n := min(atOnce, len(names))
		found := make([]*holder, n)
		var wait sync.WaitGroup
		for i, name := range names[:n] {
			wait.Go(func() { found[i] = c.ask(ctx, name) })
		}
		wait.Wait()
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		for _, p := range found {
			if p != nil {
				return p, nil
			}
		}
		names = names[n:]
	}
	return nil, nil
}

// ask asks one host whether it has the image; one that cannot be reached has nothing to give.
func (c *courier) ask(ctx context.Context, name string) *holder {
	p, err := c.h.Peer(ctx, name)
	if err != nil {
		return nil
	}
	r, err := p.Probe(ctx, holderProbe, c.origin.algorithm+":"+c.origin.digest)
	if err != nil || !r.Has("path") {
		_ = p.Close() // the pool takes it back, which cannot fail
		return nil
	}
	size, _ := strconv.ParseInt(r.Text("size"), 10, 64)
	found := &holder{Host: p, path: r.Text("path"), size: size}
	if r.Has("nbd") {
		found.addresses = c.reachable(r.Text("near"), r.Lines("addresses"))
	}
	return found
}

// reachable gives the addresses of a host that others may reach it by. Near is the one by which the controller does; the others are interface and
// address. Bridges for guests have the same address on every host.
func (c *courier) reachable(near string, lines []string) []string {
	within, _ := netip.ParsePrefix(c.PeerNetwork)
	var all []string
	add := func(addr netip.Addr) {
		if slices.Contains(all, addr.String()) {
			return
		}
		if within.IsValid() && !within.Contains(addr) || !within.IsValid() && (addr.IsLoopback() || addr.IsLinkLocalUnicast()) {
			return
		}
		all = append(all, addr.String())
	}
	if addr, err := netip.ParseAddr(near); err == nil && addr.Is4() {
		add(addr)
	}
	for _, line := range lines {
		dev, cidr, _ := strings.Cut(line, " ")
		prefix, err := netip.ParsePrefix(cidr)
		if err != nil || !within.IsValid() && forGuests(dev) {
			continue
		}
		add(prefix.Addr())
	}
	return all
}

// forGuests reports whether an interface is one of the host's own networks for guests and containers.
func forGuests(dev string) bool {
	for _, begin := range []string{"virbr", "vnet", "veth", "docker", "lxcbr", "lxdbr", "cni", "podman", "br-"} {
		if strings.HasPrefix(dev, begin) {
			return true
		}
	}
	return false
}

// receive gets the image from another host, directly or else by way of the controller.
func (c *courier) receive(ctx context.Context, p *holder) (fetched, error) {
	if len(p.addresses) > 0 {
		got, reached, err := c.copyFrom(ctx, p)
		if reached || err != nil {
			return got, err
		}
	}
	c.from, c.relayed = p.Name(), true
	r, err := p.Download(ctx, p.path)
	if err != nil {
		return fetched{}, fmt.Errorf("read %s: %w", p.path, err)
	}
	defer r.Close()
	opts := modules.FileOptions{}
	opts.Mode, opts.HasMode, opts.Size = 0o600, true, p.size
	if err := c.h.PutStream(ctx, "pass on "+c.origin.what+" from "+p.Name()+" by way of the controller", c.beside(), r, opts); err != nil {
		return fetched{}, err
	}
	return c.examine(ctx)
}

// copyFrom has this host copy what the other one offers; reached is false when it cannot connect to it, or the other cannot offer anything.
func (c *courier) copyFrom(ctx context.Context, p *holder) (got fetched, reached bool, err error) {
	var raw [32]byte
	_, _ = rand.Read(raw[:]) // never fails, crypto/rand says
	key := []byte("hostler:" + hex.EncodeToString(raw[:]) + "\n")
	done, err := p.Change(ctx, modules.Action{
		Why: "offer " + c.origin.what + " to " + c.h.Name(), Script: offerScript, Args: []string{p.path}, Stdin: key,
	})
	if err != nil {
		return got, false, modules.LostHost(ctx, err)
	}
	offer := modules.ParseReport(done[0].Stdout)
	args := append([]string{c.dir, c.origin.algorithm, c.origin.digest, strconv.FormatInt(p.size, 10), offer.Text("port")}, p.addresses...)
	done, err = c.h.Change(ctx, modules.Action{Why: "copy " + c.origin.what + " from " + p.Name(), Script: receiveScript, Args: args, Stdin: key})
	quit, end := context.WithTimeout(context.WithoutCancel(ctx), withdrawTime) // also when the run is broken off
	defer end()
	_, _ = p.Change(quit, modules.Action{Why: "offer it no longer", Script: withdrawScript, Args: []string{offer.Text("at")}}) // it ends by itself
	if err != nil {
		return got, true, err
	}
	r := modules.ParseReport(done[0].Stdout)
	if r.Has("unreachable") {
		return got, false, nil
	}
	c.from = p.Name()
	got.staged, err = parseStaged(r, c.origin.what, c.origin.digest)
	return got, true, err
}
