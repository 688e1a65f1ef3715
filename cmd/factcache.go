package cmd

import (
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/hostlerhq/hostler/config"
	"github.com/hostlerhq/hostler/facts/cache"
	"github.com/hostlerhq/hostler/run"
)

// factCache is where the settings want facts to be kept between runs; nil is nowhere. As in Ansible what is wrong with
// it is a warning.
func factCache(s Streams) run.FactCache {
	switch name := strings.TrimPrefix(s.conf.Text(config.FactCaching), "ansible.builtin."); name {
	case "memory":
		return nil
	case "jsonfile":
	default:
		fmt.Fprintf(s.Err, "[WARNING]: fact_caching cannot be %q here, so that facts are kept for this run only: it is memory or jsonfile\n", name)
		return nil
	}
	c := &cache.Folder{
		Dir: os.ExpandEnv(s.conf.Path(config.FactCachingFolder)), Prefix: s.conf.Text(config.FactCachingPrefix),
		Timeout: time.Duration(s.conf.Int(config.FactCachingTimeout)) * time.Second,
	}
	if c.Dir == "" {
		fmt.Fprintln(s.Err, "[WARNING]: fact_caching=jsonfile needs a folder (fact_caching_connection): facts are kept for this run only")
		return nil
	}
	if err := c.Open(); err != nil {
		fmt.Fprintf(s.Err, "[WARNING]: facts are kept for this run only: %v\n", err)
		return nil
	}
	return c
}

// flushCache drops the cached facts of all hosts of the inventory (--flush-cache).
func (ss *session) flushCache() error {
	if ss.opts.Facts == nil {
		return nil
	}
	for _, h := range ss.opts.Inventory.Hosts() {
		if err := ss.opts.Facts.Delete(h.Name); err != nil {
			return err
		}
	}
	return nil
}

// keptFact reports whether a host of the inventory has a cached fact of that name.
func (ss *session) keptFact(name string) bool {
	for _, h := range ss.opts.Inventory.Hosts() {
		facts, _, err := ss.opts.Facts.Load(h.Name)
		if err != nil || facts == nil {
			continue // the run tells of what cannot be read
		}
		if _, ok := facts.Get(name); ok {
			return true
		}
	}
	return false
}
