package document

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/big"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/hostlerhq/hostler/internal/diag"
	"github.com/hostlerhq/hostler/jinja/value"
)

// JSON decodes one JSON text: objects become *value.Dict in the order
// written, integers int or *big.Int, other numbers float64. With templates, a
// string that holds Jinja becomes a *value.Template and Ansible's vault and unsafe wrappers are
// understood; without, every string is plain, as data from a host must be. An
// error is a *diag.Error with its place in the text.
func JSON(file string, text []byte, templates bool) (any, error) {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	d := jsonDecoder{file: file, text: text, dec: dec, templates: templates}
	v, err := d.next()
	if err == nil {
		if _, more := dec.Token(); !errors.Is(more, io.EOF) {
			err = errors.New("text after the end of the JSON value")
		}
	}
	if err != nil {
		at := dec.InputOffset()
		// The token reader counts its offsets in two ways; reading the whole again has only one.
		var raw json.RawMessage
		if syntax, ok := errors.AsType[*json.SyntaxError](json.Unmarshal(text, &raw)); ok {
			at, err = max(syntax.Offset-1, 0), syntax
			if at == int64(len(text))-1 && strings.Contains(syntax.Error(), "unexpected end") {
				at++
			}
		}
		return nil, diag.Errorf(d.pos(at), "JSON: %w", err)
	}
	return v, nil
}

type jsonDecoder struct {
	file      string
	text      []byte
	dec       *json.Decoder
	templates bool
	// line, lineAt and upTo remember how far lines were counted.
	line, lineAt, upTo int
}

func (d *jsonDecoder) next() (any, error) {
	token, err := d.dec.Token()
	if err != nil {
		return nil, err
	}
	switch t := token.(type) {
	case json.Delim:
		if t == '[' {
			return d.list()
		}
		return d.dict()
	case json.Number:
		return jsonNumber(string(t))
	case string:
		if d.templates && HasTemplate(t) {
			return &value.Template{Text: t, Pos: d.stringPos()}, nil
		}
		return t, nil
	}
	return token, nil
}

func (d *jsonDecoder) list() (any, error) {
	items := []any{}
	for d.dec.More() {
		v, err := d.next()
		if err != nil {
			return nil, err
		}
		items = append(items, v)
	}
	_, err := d.dec.Token()
	return value.NewList(items...), err
}

func (d *jsonDecoder) dict() (any, error) {
	dict := value.NewDict()
	for d.dec.More() {
		key, err := d.dec.Token()
		if err != nil {
			return nil, err
		}
		v, err := d.next()
		if err != nil {
			return nil, err
		}
		dict.Set(key, v)
	}
	if _, err := d.dec.Token(); err != nil {
		return nil, err
	}
	if d.templates && dict.Len() == 1 {
		return d.unwrap(dict), nil
	}
	return dict, nil
}

// unwrap knows the objects that stand for !vault and !unsafe in Ansible's JSON.
func (d *jsonDecoder) unwrap(dict *value.Dict) any {
	if v, ok := dict.Get("__ansible_vault"); ok {
		if s, ok := v.(string); ok {
			return &value.Sealed{Text: s, Pos: d.stringPos()}
		}
	}
	if v, ok := dict.Get("__ansible_unsafe"); ok {
		switch s := v.(type) {
		case *value.Template:
			return s.Text
		case string:
			return s
		}
	}
	return dict
}

func jsonNumber(s string) (any, error) {
	if !strings.ContainsAny(s, ".eE") {
		if i, err := strconv.Atoi(s); err == nil {
			return i, nil
		}
		if n, ok := new(big.Int).SetString(s, 10); ok {
			return n, nil
		}
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil && !math.IsInf(f, 0) {
		return nil, fmt.Errorf("reading the number %s: %w", s, err)
	}
	return f, nil
}

// stringPos is the place of the string just read: near enough its start, since JSON strings
// hold no line breaks.
func (d *jsonDecoder) stringPos() diag.Pos { return d.pos(d.dec.InputOffset() - 1) }

// pos turns an offset into a place. Offsets mostly grow, so it counts on from the last one.
func (d *jsonDecoder) pos(offset int64) diag.Pos {
	at := int(min(offset, int64(len(d.text))))
	if at < d.upTo {
		d.line, d.lineAt, d.upTo = 0, 0, 0
	}
	part := d.text[d.upTo:at]
	d.line += bytes.Count(part, []byte("\n"))
	if nl := bytes.LastIndexByte(part, '\n'); nl >= 0 {
		d.lineAt = d.upTo + nl + 1
	}
	d.upTo = at
	return diag.Pos{File: d.file, Line: d.line + 1, Col: utf8.RuneCount(d.text[d.lineAt:at]) + 1}
}
