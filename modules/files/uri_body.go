package files

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/modules"
	"github.com/hostlerhq/hostler/modules/web"
)

// maxUpload is the largest file of the controller that is sent.
const maxUpload = 64 << 20

// setBody writes the body as body_format asks.
func (a URIArgs) setBody(ctx context.Context, h *modules.Host, req *web.Request) error {
	var text, kind string
	var err error
	switch a.BodyFormat {
	case "json":
		kind = "application/json"
		if s, ok := a.Body.(string); ok {
			text = s
		} else if text, err = value.EncodeJSON(a.Body, value.JSONOptions{}); err != nil {
			return fmt.Errorf("body: %w", err)
		}
	case "form-urlencoded":
		kind = "application/x-www-form-urlencoded"
		if text, err = urlencoded(a.Body); err != nil {
			return fmt.Errorf("failed to parse body as form_urlencoded: %w", err)
		}
	case "form-multipart":
		if text, kind, err = a.multipart(ctx, h); err != nil {
			return fmt.Errorf("failed to parse body as form-multipart: %w", err)
		}
		req.Headers = slices.DeleteFunc(req.Headers, func(f web.Field) bool { return strings.EqualFold(f.Name, "Content-Type") })
	default:
		switch a.Body.(type) {
		case nil:
		case *value.Dict, *value.List:
			return errors.New("body must be text with body_format: raw; body_format: json writes data")
		default:
			if text, err = value.Str(a.Body); err != nil {
				return fmt.Errorf("body: %w", err)
			}
		}
	}
	if a.Src != "" {
		return a.setFile(h, req)
	}
	if kind != "" && !slices.ContainsFunc(req.Headers, func(f web.Field) bool { return strings.EqualFold(f.Name, "Content-Type") }) {
		req.Headers = append(req.Headers, web.Field{Name: "Content-Type", Value: kind})
	}
	if a.Body != nil || a.BodyFormat == "json" {
		req.Body = []byte(text)
	}
	return nil
}

// setFile sends src.
func (a URIArgs) setFile(h *modules.Host, req *web.Request) error {
	if a.RemoteSrc {
		req.BodyFile = a.Src
		return nil
	}
	data, err := localFile(h, a.Src)
	req.Body = data
	return err
}

// localFile reads a file of the controller.
func localFile(h *modules.Host, name string) ([]byte, error) {
	local := h.Local()
	if local == nil {
		return nil, errNoController
	}
	found, err := local.Find("files", name)
	if err != nil {
		return nil, err
	}
	r, err := local.Open(found)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", found, err)
	}
	defer r.Close()
	data, err := io.ReadAll(io.LimitReader(r, maxUpload+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", found, err)
	}
	if len(data) > maxUpload {
		return nil, fmt.Errorf("%s is larger than %d bytes: bring it to the host first and give remote_src", found, maxUpload)
	}
	return data, nil
}

// urlencoded writes a dict, or a list of pairs, as a form. A list as a value gives the name several times.
func urlencoded(body any) (string, error) {
	var pairs [][2]any
	switch x := body.(type) {
	case nil:
		return "", nil
	case string:
		return x, nil
	case *value.Dict:
		for k, v := range x.All() {
			pairs = append(pairs, [2]any{k, v})
		}
	case *value.List:
		for _, item := range x.Items {
			pair, ok := item.(*value.List)
			if !ok || len(pair.Items) != 2 {
				return "", errors.New("each item of a list must be a name and a value")
			}
			pairs = append(pairs, [2]any{pair.Items[0], pair.Items[1]})
		}
	default:
		return "", errors.New("cannot form-urlencode body, expect list or dict")
	}
	var words []string
	for _, p := range pairs {
		name, err := value.Str(p[0])
		if err != nil {
			return "", err
		}
		values := []any{p[1]}
		if list, ok := p[1].(*value.List); ok {
			values = list.Items
		}
		for _, v := range values {
			if v == nil {
				continue
			}
			text, err := value.Str(v)
			if err != nil {
				return "", err
			}
			words = append(words, url.QueryEscape(name)+"="+url.QueryEscape(text))
		}
	}
	return strings.Join(words, "&"), nil
}

// multipart writes a form with files as Ansible does: parts by their names' order, files in Base64.
func (a URIArgs) multipart(ctx context.Context, h *modules.Host) (text, kind string, err error) {
	fields, ok := a.Body.(*value.Dict)
	if !ok {
		return "", "", errors.New("body must be a dict")
	}
	boundary := "===============" + tempEnd() + "=="
	var names []string
	for _, k := range fields.Keys() {
		name, err := value.Str(k)
		if err != nil {
			return "", "", err
		}
		names = append(names, name)
	}
	slices.Sort(names)
	var b strings.Builder
	for _, name := range names {
		part, err := a.part(ctx, h, name, firstOf(fields, name))
		if err != nil {
			return "", "", err
		}
		b.WriteString("--" + boundary + "\r\n" + part + "\r\n")
	}
	b.WriteString("--" + boundary + "--\r\n")
	return b.String(), fmt.Sprintf("multipart/form-data; boundary=%q", boundary), nil
}

func firstOf(d *value.Dict, key string) any {
	v, _ := d.Get(key)
	return v
}

// part is one field of a form, headers and all.
func (a URIArgs) part(ctx context.Context, h *modules.Host, name string, field any) (string, error) {
	quote := strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\r", "", "\n", "").Replace
	disposition := fmt.Sprintf("Content-Disposition: form-data; name=\"%s\"", quote(name))
	if text, ok := field.(string); ok {
		return "Content-Type: text/plain\r\n" + disposition + "\r\n\r\n" + text, nil
	}
	d, ok := field.(*value.Dict)
	if !ok {
		return "", fmt.Errorf("value must be a string, or mapping: %s", name)
	}
	filename, content, kind := d.Str("filename"), d.Str("content"), d.Str("mime_type")
	if filename == "" && content == "" {
		return "", fmt.Errorf("at least one of filename or content must be provided: %s", name)
	}
	if kind == "" {
		kind, _, _ = strings.Cut(mime.TypeByExtension(path.Ext(filename)), ";")
	}
	if kind == "" {
		kind = "application/octet-stream"
	}
	if strings.ContainsAny(kind, "\r\n") {
		return "", fmt.Errorf("mime_type has a line end: %s", name)
	}
	if filename != "" {
		disposition += fmt.Sprintf("; filename=\"%s\"", quote(path.Base(filename)))
	}
	if content != "" {
		return "Content-Type: " + kind + "\r\n" + disposition + "\r\n\r\n" + content, nil
	}
	var data []byte
	var err error
	if a.RemoteSrc {
		data, err = h.ReadFile(ctx, filename, maxUpload)
	} else {
		data, err = localFile(h, filename)
	}
	if err != nil {
		return "", err
	}
	var lines bytes.Buffer
	for chunk := range slices.Chunk([]byte(base64.StdEncoding.EncodeToString(data)), 76) {
		lines.Write(chunk)
		lines.WriteString("\r\n")
	}
	return "Content-Transfer-Encoding: base64\r\nContent-Type: " + kind + "\r\n" + disposition + "\r\n\r\n" + lines.String(), nil
}
