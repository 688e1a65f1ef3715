package playbook

func (ld *load) notified(p *Play) {}
