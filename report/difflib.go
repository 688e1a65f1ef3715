package report

import (
	"fmt"
	"slices"
	"strings"
)

// unifiedDiff gives the lines of a unified diff exactly as Python's difflib makes them (its matching, which is not
// Myers', decides where hunks fall), since that is what Ansible prints. Lines keep their ends.
func unifiedDiff(a, b []string, from, to string, context int) []string {
	var out []string
	for _, group := range groups(opcodes(a, b), context) {
		if out == nil {
			out = append(out, "--- "+from+"\n", "+++ "+to+"\n")
		}
		first, last := group[0], group[len(group)-1]
		out = append(out, fmt.Sprintf("@@ -%s +%s @@\n", lineRange(first.i1, last.i2), lineRange(first.j1, last.j2)))
		for _, op := range group {
			if op.equal {
				out = appendWith(out, " ", a[op.i1:op.i2])
				continue
			}
			out = appendWith(out, "-", a[op.i1:op.i2])
			out = appendWith(out, "+", b[op.j1:op.j2])
		}
	}
	return out
}

func appendWith(out []string, prefix string, lines []string) []string {
	for _, l := range lines {
		out = append(out, prefix+l)
	}
	return out
}

func lineRange(start, stop int) string {
	n := stop - start
	if n == 1 {
		return fmt.Sprint(start + 1)
	}
	if n == 0 {
		return fmt.Sprintf("%d,0", start)
	}
	return fmt.Sprintf("%d,%d", start+1, n)
}

// opcode says that a[i1:i2] becomes b[j1:j2], or is equal to it.
type opcode struct {
	equal          bool
	i1, i2, j1, j2 int
}

type match struct{ i, j, n int }

// opcodes follows Ratcliff and Obershelp as difflib does: the longest common run, then both sides of it.
func opcodes(a, b []string) []opcode {
	where := index(b)
	var found []match
	queue := [][4]int{{0, len(a), 0, len(b)}}
	for len(queue) > 0 {
		q := queue[len(queue)-1]
		queue = queue[:len(queue)-1]
		m := longest(a, b, where, q[0], q[1], q[2], q[3])
		if m.n == 0 {
			continue
		}
		found = append(found, m)
		if q[0] < m.i && q[2] < m.j {
			queue = append(queue, [4]int{q[0], m.i, q[2], m.j})
		}
		if m.i+m.n < q[1] && m.j+m.n < q[3] {
			queue = append(queue, [4]int{m.i + m.n, q[1], m.j + m.n, q[3]})
		}
	}
	slices.SortFunc(found, func(x, y match) int { return x.i - y.i })
	return fill(joined(found), len(a), len(b))
}

// joined melts matches that touch.
func joined(found []match) []match {
	var out []match
	for _, m := range found {
		if n := len(out); n > 0 && out[n-1].i+out[n-1].n == m.i && out[n-1].j+out[n-1].n == m.j {
			out[n-1].n += m.n
			continue
		}
		out = append(out, m)
	}
	return out
}

func fill(found []match, la, lb int) []opcode {
	var ops []opcode
	i, j := 0, 0
	for _, m := range append(found, match{la, lb, 0}) {
		if i < m.i || j < m.j {
			ops = append(ops, opcode{false, i, m.i, j, m.j})
		}
		if m.n > 0 {
			ops = append(ops, opcode{true, m.i, m.i + m.n, m.j, m.j + m.n})
		}
		i, j = m.i+m.n, m.j+m.n
	}
	return ops
}

// index maps each line of b to its places; like difflib it forgets lines that make up more than a hundredth of 200 or more.
func index(b []string) map[string][]int {
	where := make(map[string][]int)
	for j, l := range b {
		where[l] = append(where[l], j)
	}
	if len(b) >= 200 {
		most := len(b)/100 + 1
		for l, at := range where {
			if len(at) > most {
				delete(where, l)
			}
		}
	}
	return where
}

func longest(a, b []string, where map[string][]int, alo, ahi, blo, bhi int) match {
	best := match{alo, blo, 0}
	run := map[int]int{}
	for i := alo; i < ahi; i++ {
		now := map[int]int{}
		for _, j := range where[a[i]] {
			if j < blo {
				continue
			}
			if j >= bhi {
				break
			}
			k := run[j-1] + 1
			now[j] = k
			if k > best.n {
				best = match{i - k + 1, j - k + 1, k}
			}
		}
		run = now
	}
	for best.i > alo && best.j > blo && a[best.i-1] == b[best.j-1] {
		best = match{best.i - 1, best.j - 1, best.n + 1}
	}
	for best.i+best.n < ahi && best.j+best.n < bhi && a[best.i+best.n] == b[best.j+best.n] {
		best.n++
	}
	return best
}

// groups cuts opcodes into hunks with n lines of context.
func groups(ops []opcode, n int) [][]opcode {
	if len(ops) == 0 {
		return nil
	}
	if f := &ops[0]; f.equal {
		f.i1, f.j1 = max(f.i1, f.i2-n), max(f.j1, f.j2-n)
	}
	if l := &ops[len(ops)-1]; l.equal {
		l.i2, l.j2 = min(l.i2, l.i1+n), min(l.j2, l.j1+n)
	}
	var out [][]opcode
	var group []opcode
	for _, op := range ops {
		if op.equal && op.i2-op.i1 > 2*n {
			group = append(group, opcode{true, op.i1, min(op.i2, op.i1+n), op.j1, min(op.j2, op.j1+n)})
			out = append(out, group)
			group = nil
			op.i1, op.j1 = max(op.i1, op.i2-n), max(op.j1, op.j2-n)
		}
		group = append(group, op)
	}
	if len(group) > 0 && (len(group) > 1 || !group[0].equal) {
		out = append(out, group)
	}
	return out
}

// splitLines is Python's str.splitlines(True) for the ends that files have.
func splitLines(s string) []string {
	var out []string
	for len(s) > 0 {
		i := strings.IndexAny(s, "\n\r")
		if i < 0 {
			return append(out, s)
		}
		end := i + 1
		if s[i] == '\r' && end < len(s) && s[end] == '\n' {
			end++
		}
		out = append(out, s[:end])
		s = s[end:]
	}
	return out
}
