package cmd

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/hostlerhq/hostler/config"
)

// stepper asks before each task, in Ansible's words. When nobody answers any more, nothing further runs.
func stepper(s Streams) func(question string) (answer string) {
	return func(question string) string {
		fmt.Fprint(s.Out, question)
		line, err := readLine(s.In)
		if err != nil {
			fmt.Fprintln(s.Out)
			return ""
		}
		return strings.ToLower(line)
	}
}

// debugPrompt asks for the debugger's next line.
func debugPrompt(s Streams) func(ctx context.Context, prompt string) (string, error) {
	return func(_ context.Context, prompt string) (string, error) {
		fmt.Fprint(s.Out, prompt)
		return readLine(s.In)
	}
}

// retryFile gives what writes the hosts to try again, one a line, beside the playbook or where retry_files_save_path says;
// nil unless retry_files_enabled.
func retryFile(s Streams) func(playbook string, hosts []string) (string, error) {
	if !s.conf.Bool(config.RetryFiles) {
		return nil
	}
	return func(playbook string, hosts []string) (string, error) {
		dir, err := filepath.Abs(filepath.Dir(playbook))
		if to := s.conf.Path(config.RetryFilesPath); to != "" {
			dir = to
			err = os.MkdirAll(dir, 0o755)
		}
		base := filepath.Base(playbook)
		file := filepath.Join(dir, strings.TrimSuffix(base, filepath.Ext(base))+".retry")
		if err == nil {
			err = os.WriteFile(file, []byte(strings.Join(hosts, "\n")+"\n"), 0o644)
		}
		if err != nil {
			return "", fmt.Errorf("could not create retry file '%s': %w", file, err)
		}
		return file, nil
	}
}
