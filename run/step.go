package run

// stepInto asks whether a task is to run, on one host where one is named, when every task is asked for. What was told so far is
// shown first.
func (r *runner) stepInto(task *TaskInfo, host string) bool {
	if r.o.Step == nil {
		return true
	}
	r.events.flush()
	question := "Perform task: TASK: " + task.Name + " "
	if task.Handler {
		question = "Perform task: HANDLER: " + task.Name + " "
	}
	if host != "" {
		question += "on " + host + " "
	}
	question += "(N)o/(y)es/(c)ontinue: "
	answer := r.o.Step(question)
	r.events.emit(Stepped{Question: question})
	switch answer {
	case "c", "continue":
		r.o.Step = nil
		return true
	case "y", "yes":
		return true
	}
	return false
}
