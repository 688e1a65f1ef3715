package files

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/hostlerhq/hostler/modules"
	"github.com/hostlerhq/hostler/modules/web"
)

// keepThen keeps what came whole.
const keepThen = `
case $rc$w_tool$status in 0file* | 0*2[0-9][0-9]) keep=1; say kept 1 ;; esac
`

// download lets the host fetch the archive, unpacks it and removes it.
func (a UnarchiveArgs) download(ctx context.Context, h *modules.Host) (UnarchiveResult, error) {
	u, err := a.look(ctx, h, "", false)
	switch {
	case err != nil:
		return UnarchiveResult{Src: a.Src}, err
	case u.created != "":
		return skipped(u), nil
	case u.refuse() != nil:
		return UnarchiveResult{Src: a.Src}, u.refuse()
	case h.Planning():
		return UnarchiveResult{Skipped: true, Msg: "in check mode, an archive is not downloaded for a comparison"}, nil
	}
	req, err := usualRequest(a.Src, a.ValidateCerts)
	if err != nil {
		return UnarchiveResult{Src: a.Src}, err
	}
	req.Resume, req.Why = true, "download "+redacted(a.Src)
	req.Look, req.LookArgs, req.Then = intoLib+`into "$1" "$2"`, []string{u.tmp, tempEnd()}, keepThen
	resp, err := web.Do(ctx, h, req)
	switch {
	case err != nil:
		return UnarchiveResult{Src: a.Src}, err
	case resp.Report.Has("unwritable"):
		return UnarchiveResult{Src: a.Src}, fmt.Errorf("download to %s: %s", u.tmp, resp.Report.Text("unwritable"))
	case !resp.Report.Has("kept"):
		return UnarchiveResult{Src: a.Src}, fmt.Errorf("Failure downloading %s, %s", redacted(a.Src), resp.Msg)
	}
	temp := resp.Report.Text("out")
	result, err := a.run(ctx, h, temp, strings.HasSuffix(resp.URL, ".zip"))
	result.Src = a.Src
	return result, errors.Join(err, discard(ctx, h, temp))
}
