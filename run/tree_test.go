package run

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hostlerhq/hostler/playbook"
)

// randomNodes makes a list of tasks and blocks, and counts the tasks.
func randomNodes(r *rand.Rand, depth int, tasks *[]*playbook.Task) []node {
	var out []node
	for range 1 + r.IntN(3) {
		if depth > 0 && r.IntN(3) == 0 {
			b := &block{body: randomNodes(r, depth-1, tasks)}
			if r.IntN(2) == 0 {
				b.rescue = randomNodes(r, depth-1, tasks)
			}
			if r.IntN(2) == 0 {
				b.always = randomNodes(r, depth-1, tasks)
			}
			out = append(out, node{block: b, order: len(out)})
			continue
		}
		t := &playbook.Task{Action: fmt.Sprint(len(*tasks))}
		*tasks = append(*tasks, t)
		out = append(out, node{task: t, order: len(out)})
	}
	return out
}

// interpret is the meaning of blocks in plain recursion: what ran, and whether it failed.
func interpret(list []node, bad map[*playbook.Task]bool, ran *[]string) bool {
	for _, n := range list {
		if n.block == nil {
			*ran = append(*ran, n.task.Action)
			if bad[n.task] {
				return false
			}
			continue
		}
		ok := interpret(n.block.body, bad, ran)
		if !ok && len(n.block.rescue) > 0 {
			ok = interpret(n.block.rescue, bad, ran)
		}
		if !interpret(n.block.always, bad, ran) || !ok {
			return false
		}
	}
	return true
}

// TestWalkerFaultMatrix lets every task of many plays fail, alone and in pairs, and compares with plain recursion.
func TestWalkerFaultMatrix(t *testing.T) {
	for seed := range uint64(200) {
		var tasks []*playbook.Task
		root := randomNodes(rand.New(rand.NewPCG(seed, 1)), 3, &tasks)
		for i := range tasks {
			for j := i; j < len(tasks); j++ {
				bad := map[*playbook.Task]bool{tasks[i]: true, tasks[j]: true}
				var want []string
				ok := interpret(root, bad, &want)
				got, failed := walk(root, bad)
				if diff := cmp.Diff(want, got); diff != "" || failed == ok {
					t.Fatalf("seed %d, tasks %d and %d fail: failed %t, want %t\n%s", seed, i, j, failed, !ok, diff)
				}
			}
		}
	}
}

func walk(root []node, bad map[*playbook.Task]bool) (ran []string, failed bool) {
	w := newWalker(root)
	for {
		ahead := w.clone()
		n := ahead.advance()
		w = ahead
		if n == nil {
			return ran, w.failed
		}
		ran = append(ran, n.task.Action)
		if bad[n.task] {
			w.fail()
		}
	}
}

// TestWalkerOrder holds that of two hosts the one at the earlier task is before the other, and that a failure
// puts a host behind the body that it left.
func TestWalkerOrder(t *testing.T) {
	for seed := range uint64(100) {
		var tasks []*playbook.Task
		root := randomNodes(rand.New(rand.NewPCG(seed, 2)), 3, &tasks)
		a, b := newWalker(root), newWalker(root)
		a.advance()
		for b.advance(); !b.done; b.advance() {
			if c := a.before(b); c > 0 || (c == 0) != slices.EqualFunc(a.frames, b.frames, sameFrame) {
				t.Fatalf("seed %d: the first task is not before a later one: %d", seed, c)
			}
			if c := b.before(a); c < 0 {
				t.Fatalf("seed %d: a later task is before the first: %d", seed, c)
			}
		}
	}
}

func sameFrame(a, b frame) bool { return a.in == b.in && a.next == b.next }

// TestWalkerInsert holds that included tasks come next, once, and belong to the section they were included from.
func TestWalkerInsert(t *testing.T) {
	task := func(name string) node { return node{task: &playbook.Task{Action: name}} }
	include, after, in1, in2, mend := task("include"), task("after"), task("in1"), task("in2"), task("mend")
	after.order = 1
	root := []node{{block: &block{body: []node{include, after}, rescue: []node{mend}}}}
	w := newWalker(root)
	var ran []string
	for n := w.advance(); n != nil; n = w.advance() {
		ran = append(ran, n.task.Action)
		switch n.task.Action {
		case "include":
			w.insert([]node{in1, in2})
		case "in2":
			w.fail()
		}
	}
	want := []string{"include", "in1", "in2", "mend"}
	if diff := cmp.Diff(want, ran); diff != "" || w.failed {
		t.Errorf("failed %t\n%s", w.failed, diff)
	}
}
