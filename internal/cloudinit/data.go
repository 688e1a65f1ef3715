package cloudinit

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"

	"github.com/hostlerhq/hostler/internal/diag"
	"github.com/hostlerhq/hostler/internal/document"
	"github.com/hostlerhq/hostler/internal/pyyaml"
	"github.com/hostlerhq/hostler/jinja/value"
	"gopkg.in/yaml.v3"
)

const (
	configHeader = "#cloud-config"
	jinjaHeader  = "## template: jinja"
)

// header is how a kind of user-data begins, and its type in a multipart.
type header struct{ begin, mime string }

// headers are cloud-init's (cloudinit/handlers), longer ones before those that they begin with.
func headers() []header {
	return []header{
		{jinjaHeader, "text/jinja2"},
		{"#cloud-config-archive", "text/cloud-config-archive"},
		{"#cloud-config-jsonp", "text/cloud-config-jsonp"},
		{configHeader, "text/cloud-config"},
		{"#cloud-boothook", "text/cloud-boothook"},
		{"#part-handler", "text/part-handler"},
		{"#include-once", "text/x-include-once-url"},
		{"#include", "text/x-include-url"},
		{"#!", "text/x-shellscript"},
	}
}

// kind is a text's type by its first line; "" is one that cloud-init does not know, "multipart" a message with its own headers.
func kind(text string) string {
	lower := strings.ToLower(text)
	if strings.HasPrefix(lower, "content-type:") || strings.HasPrefix(lower, "mime-version:") || strings.HasPrefix(lower, "from ") {
		return "multipart"
	}
	if strings.HasPrefix(text, "\x1f\x8b") {
		return "gzip"
	}
	for _, h := range headers() {
		if strings.HasPrefix(lower, h.begin) {
			return h.mime
		}
	}
	return ""
}

// Text gives user-data or vendor-data as cloud-init reads them: text as it is, a dict as cloud-config, a list of these as one multipart.
func Text(v any) (string, error) {
	switch v := v.(type) {
	case nil:
		return "", nil
	case string:
		return v, nil
	case *value.Dict:
		text, err := pyyaml.Dump(v, pyyaml.Options{Width: -1, Blocks: true})
		return configHeader + "\n" + text, err
	case *value.List:
		parts := make([]string, len(v.Items))
		for i, item := range v.Items {
			text, err := Text(item)
			if err != nil {
				return "", err
			}
			if _, nested := item.(*value.List); nested {
				return "", fmt.Errorf("part %d is a list in a list", i+1)
			}
			parts[i] = text
		}
		return Multipart(parts)
	}
	return "", fmt.Errorf("must be text, a dict of cloud-config or a list of these, not %v", v)
}

// Multipart joins several user-data to one; a single one stays as it is.
func Multipart(parts []string) (string, error) {
	if len(parts) == 1 {
		return parts[0], nil
	}
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	boundary := fmt.Sprintf("===============%x==", sum[:12])
	var b strings.Builder
	fmt.Fprintf(&b, "Content-Type: multipart/mixed; boundary=\"%s\"\nMIME-Version: 1.0\n", boundary)
	for i, part := range parts {
		mime := kind(part)
		if mime == "" || mime == "multipart" || mime == "gzip" {
			return "", fmt.Errorf("part %d: %s", i+1, headerProblem(part))
		}
		fmt.Fprintf(&b, "\n--%s\nContent-Type: %s; charset=\"utf-8\"\nMIME-Version: 1.0\nContent-Transfer-Encoding: 8bit\n"+
			"Content-Disposition: attachment; filename=\"part-%03d\"\n\n%s", boundary, mime, i+1, part)
	}
	fmt.Fprintf(&b, "\n--%s--\n", boundary)
	return b.String(), nil
}

// headerProblem says why a text is no user-data.
func headerProblem(text string) string {
	first, _, _ := strings.Cut(text, "\n")
	if len(first) > 40 {
		first = first[:40] + "…"
	}
	return fmt.Sprintf("it begins with %q, which cloud-init passes over: user-data begins with #cloud-config, #!, #include, #cloud-boothook, ## template: jinja or Content-Type: multipart", first)
}

// checkData checks user-data or vendor-data.
func checkData(f File, schema bool) diag.List {
	pos := diag.Pos{File: f.Name, Line: 1, Col: 1}
	text := strings.TrimPrefix(f.Text, "\xef\xbb\xbf")
	if strings.TrimSpace(text) == "" {
		return diag.List{diag.Errorf(diag.Pos{File: f.Name}, "it is empty")}
	}
	switch kind(text) {
	case "":
		e := diag.Errorf(pos, "%s", headerProblem(text))
		if strings.HasPrefix(strings.ReplaceAll(text, " ", ""), configHeader) {
			e.Hint = "write #cloud-config without blanks"
		}
		return diag.List{e}
	case "text/cloud-config":
		return checkConfig(f, schema)
	}
	return nil
}

// checkConfig checks cloud-config.
func checkConfig(f File, schema bool) diag.List {
	first, _, _ := strings.Cut(f.Text, "\n")
	var found diag.List
	if rest := strings.TrimRight(first, " \r"); rest != configHeader {
		found.Add(warning(diag.Pos{File: f.Name, Line: 1, Col: 1}, "the first line should be #cloud-config alone, not %q", rest))
	}
	doc, root, more := parse(f)
	found = append(found, more...)
	if root == nil {
		return found
	}
	if root.Kind != yaml.MappingNode {
		return append(found, diag.Errorf(doc.Pos(root), "cloud-config must be a mapping, such as hostname: vm1"))
	}
	if schema {
		w := walker{doc: doc}
		w.walk(keyTree(), root, "")
		found = append(found, w.found...)
	}
	found = append(found, habits(doc, root)...)
	if schema {
		found = append(found, clearPasswords(doc, root)...)
	}
	return found
}

// habits warns of what is allowed and seldom meant.
func habits(doc document.Document, root *yaml.Node) diag.List {
	var found diag.List
	for _, e := range document.Entries(root) {
		switch e.Name {
		case "users":
			items := document.Items(e.Val)
			if len(items) > 0 && !slices.ContainsFunc(items, func(n *yaml.Node) bool { return n.Value == "default" }) {
				found.Add(warning(doc.Pos(e.Key), "users has no entry default: the distribution's own user will not be made"))
			}
		case "runcmd", "bootcmd":
			for _, n := range document.Items(e.Val) {
				words := []string{n.Value}
				for _, w := range document.Items(n) {
					words = append(words, w.Value)
				}
				if line := strings.Join(words, " "); strings.Contains(line, "cloud-init status") && strings.Contains(line, "--wait") {
					found.Add(diag.Errorf(doc.Pos(n), "cloud-init status --wait in %s waits for itself for ever", e.Name))
				}
			}
		}
	}
	return found
}
