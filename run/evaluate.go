package run

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/hostlerhq/hostler/internal/diag"
	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/playbook"
	"github.com/hostlerhq/hostler/vars"
)

// evaluator renders keywords and keeps the first error, so that a list of them reads straight on.
type evaluator struct {
	s   *vars.Scope
	err error
}

func (e *evaluator) value(ctx context.Context, f playbook.Field) any {
	if !f.Set || e.err != nil {
		return nil
	}
	v, err := e.s.Render(ctx, f.Value)
	if err != nil {
		e.err = atPos(f.Pos, err)
		return nil
	}
	if v == vars.Omit {
		return nil
	}
	return v
}

func (e *evaluator) text(ctx context.Context, f playbook.Field) string {
	switch v := e.value(ctx, f).(type) {
	case nil:
		return ""
	case string:
		return v
	default:
		s, err := value.Str(v)
		e.fail(f, err)
		return s
	}
}

// truth gives a boolean keyword; unset, empty and omit give the default.
func (e *evaluator) truth(ctx context.Context, f playbook.Field, unset bool) bool {
	v := e.value(ctx, f)
	if v == nil || v == "" {
		return unset
	}
	b, ok := asBool(v)
	if !ok {
		e.fail(f, fmt.Errorf("the value %q could not be converted to bool", fmt.Sprint(v)))
	}
	return b
}

// number gives a number, which may be text with a percent sign.
func (e *evaluator) number(ctx context.Context, f playbook.Field, unset float64) float64 {
	v := e.value(ctx, f)
	switch n := v.(type) {
	case nil:
		return unset
	case int:
		return float64(n)
	case float64:
		return n
	case string:
		x, err := strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(n), "%"), 64)
		if err == nil {
			return x
		}
	}
	e.fail(f, fmt.Errorf("the value %q could not be converted to a number", fmt.Sprint(v)))
	return unset
}

func (e *evaluator) seconds(ctx context.Context, f playbook.Field, unset time.Duration) time.Duration {
	n := e.number(ctx, f, unset.Seconds())
	return time.Duration(n * float64(time.Second))
}

func (e *evaluator) fail(f playbook.Field, err error) {
	if err != nil && e.err == nil {
		e.err = atPos(f.Pos, err)
	}
}

// asBool reads a boolean as Ansible does.
func asBool(v any) (b, ok bool) {
	switch v := v.(type) {
	case bool:
		return v, true
	case int:
		return v == 1, v == 0 || v == 1
	case float64:
		return v == 1, v == 0 || v == 1
	case string:
		switch strings.ToLower(strings.TrimSpace(v)) {
		case "y", "yes", "on", "1", "true", "t", "1.0":
			return true, true
		case "n", "no", "off", "0", "false", "f", "0.0":
			return false, true
		}
	}
	return false, false
}

// atPos gives an error a place unless it has one.
func atPos(pos diag.Pos, err error) error {
	if _, ok := errors.AsType[*diag.Error](err); ok || err == nil {
		return err
	}
	if _, ok := errors.AsType[diag.List](err); ok {
		return err
	}
	return &diag.Error{Pos: pos, Err: err}
}

// message gives an error's text for a task's msg: without the place, which the text of the report shows elsewhere.
func message(err error) string {
	if d, ok := errors.AsType[*diag.Error](err); ok {
		return d.Err.Error()
	}
	return err.Error()
}

// serialSize reads one entry of serial: a number of hosts, or a share of all.
func serialSize(v any, all int) (int, error) {
	switch n := v.(type) {
	case int:
		return n, nil
	case string:
		if share, ok := strings.CutSuffix(strings.TrimSpace(n), "%"); ok {
			x, err := strconv.ParseFloat(strings.TrimSpace(share), 64)
			if err != nil {
				return 0, fmt.Errorf("serial: %q is no percentage", n)
			}
			return max(1, int(math.Floor(x/100*float64(all)))), nil
		}
		i, err := strconv.Atoi(strings.TrimSpace(n))
		if err != nil {
			return 0, fmt.Errorf("serial: %q is no number of hosts", n)
		}
		return i, nil
	default:
		return 0, fmt.Errorf("serial: %v is no number of hosts", v)
	}
}

func cmpOr(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}
