package virt

import (
	"context"
	"fmt"
	"sync"

	"github.com/hostlerhq/hostler/internal/libvirt"
	"github.com/hostlerhq/hostler/modules"
)

// twinProbe: URI, UUID. It tells of an active domain of that UUID; a host without virsh runs none.
const twinProbe = "command -v virsh >/dev/null 2>&1 || exit 0\n" + virshLib + `names list --name
i=$(v dominfo --domain "$1" 2>/dev/null) || exit 0
say info "$(printf '%s\n' "$i" | sed -n -e '/^Id:/p' -e '/^Name:/p' -e '/^State:/p')"
`

// twinsAtOnce is how many hosts are asked at the same time.
const twinsAtOnce = 16

// twin is what another host said of a domain's UUID.
type twin struct {
	host, name, state string
	err               error
}

// alone refuses to start a domain that another host of the play runs. Where two hosts of the play want to start the same one at
// once, the second waits until the first is done, and then finds it.
func (j *virtJob) alone(ctx context.Context, d domain) error {
	uuid := d.uuid
	if !d.exists && j.want != nil {
		uuid, _ = libvirt.ParseUUID(j.want.Val("uuid")) // one that libvirt is to draw is nobody else's
	}
	if !j.starting || !j.TwinCheck || uuid == "" || len(j.host.Peers()) == 0 {
		return nil
	}
	if _, err := j.host.Alone(ctx, "libvirt-domain-"+uuid); err != nil {
		return err
	}
	for _, t := range j.twins(ctx, uuid) {
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case t.err != nil:
			j.host.Warn("host %s could not be asked whether it runs domain %s too: %v", t.host, j.Name, t.err)
		case t.state != "":
			return &libvirt.Error{
				Class: libvirt.Already, Text: fmt.Sprintf("domain %s is %s on host %s already, there called %s, UUID %s", j.Name, t.state, t.host, t.name, uuid),
				Advice: "two at once would destroy its disks: turn it off there first, or move it here; twin_check: false starts it all the same",
			}
		}
	}
	return nil
}

// twins asks the play's other hosts, in their order.
func (j *virtJob) twins(ctx context.Context, uuid string) []twin {
	names := j.host.Peers()
	found := make([]twin, len(names))
	slots := make(chan struct{}, twinsAtOnce)
	var asked sync.WaitGroup
	for i, name := range names {
		slots <- struct{}{}
		asked.Go(func() {
			defer func() { <-slots }()
			found[i] = j.twin(ctx, name, uuid)
		})
	}
	asked.Wait()
	return found
}

func (j *virtJob) twin(ctx context.Context, host, uuid string) twin {
	t := twin{host: host}
	peer, err := j.host.Peer(ctx, host)
	if err != nil {
		t.err = err
		return t
	}
	var told *modules.Report
	if told, t.err = peer.Probe(ctx, twinProbe, string(j.URI), uuid); t.err == nil {
		t.err = reached(told)
	}
	if t.err == nil {
		if info := fields(told.Text("info")); info["Id"] != "-" {
			t.name, t.state = info["Name"], info["State"]
		}
	}
	if err := peer.Close(); t.err == nil {
		t.err = err
	}
	return t
}
