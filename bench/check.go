package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// benchCheck compares the check of a playbook of 500 tasks with ansible-playbook --syntax-check, which looks at less.
func benchCheck(ctx context.Context, b *bench) error {
	const tasks = 500
	var text strings.Builder
	text.WriteString("- hosts: all\n  vars: {a: 1}\n  tasks:\n")
	for i := range tasks {
		fmt.Fprintf(&text, `    - name: Task %[1]d of {{ a }}
      copy:
        dest: /etc/file%[1]d
        content: "{{ a }} %[1]d {{ inventory_hostname | upper }}"
        mode: "0644"
      when: a == 1 and inventory_hostname != 'x%[1]d'
      register: result%[1]d
`, i)
	}
	site := filepath.Join(b.dir, "check.yml")
	if err := os.WriteFile(site, []byte(text.String()), 0o600); err != nil {
		return err
	}
	return b.compare("check of 500 tasks, beside --syntax-check", 0.1, func() (time.Duration, error) {
		return b.ours(ctx, "check", "-i", "a,", site)
	}, func() (time.Duration, error) {
		return timed(command(ctx, "ansible-playbook", "-i", "a,", "--syntax-check", site))
	})
}
