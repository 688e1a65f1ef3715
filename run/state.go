package run

import (
	"github.com/hostlerhq/hostler/playbook"
)

// handler is one handler of a play.
type handler struct {
	task *playbook.Task
	node node
	// name is rendered; full is the name with the role's before it, short that with the role's without its collection.
	name, full, short string
	// use is what makes two uses of the handler's role the same; empty for the play's own.
	use string
}

// hostState is one host's way through one batch of a play.
type hostState struct {
	*hostVars
	walk *walker
	next *upcoming // what follows, worked out ahead

	// While handlers run: the list (with what includes brought), and the place in it.
	flushing bool
	handlers []*handler
	at       int
	notified map[*handler]struct{}

	unreachable bool
	lost        bool // counted as failed: it takes no part in further plays
	// ran and finished hold the keys of roles that ran a task, and that came to their end.
	ran, finished map[string]struct{}
}

// upcoming is the next thing on a host's way; taking it makes walk or at the host's place.
type upcoming struct {
	n    *node // nil at the end
	walk *walker
	h    *handler // when n is a handler's
	at   int
	done bool // the handlers are through: taking it leaves them
}

// active reports whether the host still takes part.
func (h *hostState) active() bool { return !h.unreachable && !h.walk.done }

// peek works out what comes next without going there.
func (h *hostState) peek() *upcoming {
	if h.next == nil {
		h.next = h.work()
	}
	return h.next
}

func (h *hostState) work() *upcoming {
	if h.flushing {
		for i := h.at; i < len(h.handlers); i++ {
			c := h.handlers[i]
			if _, ok := h.notified[c]; ok {
				return &upcoming{n: &c.node, h: c, at: i + 1, walk: h.walk}
			}
		}
	}
	if h.walk.done {
		return &upcoming{walk: h.walk, done: true}
	}
	w := h.walk.clone()
	return &upcoming{n: w.advance(), walk: w, done: true}
}

// take goes to what peek gave.
func (h *hostState) take() {
	u := h.peek()
	h.next = nil
	h.walk = u.walk
	if u.h != nil {
		h.at = u.at
		delete(h.notified, u.h)
		return
	}
	h.flushing = false
}

// fail moves the host to what deals with a failure of the task taken last.
func (h *hostState) fail() {
	h.next = nil
	h.flushing = false
	h.walk.fail()
}

// insert puts nodes next.
func (h *hostState) insert(nodes []node) {
	h.next = nil
	h.walk.insert(nodes)
}

// insertHandlers puts handlers that an include brought next, as notified.
func (h *hostState) insertHandlers(hs []*handler) {
	h.next = nil
	list := append([]*handler(nil), h.handlers[:h.at]...)
	list = append(list, hs...)
	h.handlers = append(list, h.handlers[h.at:]...)
	for _, c := range hs {
		h.notify(c)
	}
}

// notify marks a handler to run and reports whether it was not marked before.
func (h *hostState) notify(c *handler) bool {
	if _, ok := h.notified[c]; ok {
		return false
	}
	if h.notified == nil {
		h.notified = make(map[*handler]struct{})
	}
	h.notified[c] = struct{}{}
	h.next = nil
	return true
}

// flush begins the handlers.
func (h *hostState) flush(all []*handler) {
	h.next = nil
	h.flushing, h.handlers, h.at = true, all, 0
}

// end stops the host without a failure.
func (h *hostState) end() {
	h.next = nil
	h.flushing = false
	h.walk.end()
}

// endRole leaves the role's tasks.
func (h *hostState) endRole(r *playbook.Role) {
	h.next = nil
	h.walk.endRole(r)
}

// failed reports whether a failure that nothing rescued ended the host's way.
func (h *hostState) failed() bool { return h.walk.failed }

func mark(set *map[string]struct{}, key string) {
	if *set == nil {
		*set = make(map[string]struct{})
	}
	(*set)[key] = struct{}{}
}
