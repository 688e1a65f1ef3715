package facts

import (
	"math/bits"
	"strconv"
	"strings"
)

// Hardware is processors, memory, firmware, disks and mounts.
type Hardware struct {
	CPU     *CPU              `fact:",inline"`
	Memory  *Memory           `fact:",inline"`
	DMI     map[string]string `fact:",inline"`
	Uptime  int               `fact:"uptime_seconds"`
	Storage *Storage          `fact:",inline"`
}

// CPU are the processors as /proc/cpuinfo tells them.
type CPU struct {
	Processor      []string `fact:"processor"` // three entries for each: number, vendor, model, where the architecture has them
	Count          int      `fact:"processor_count"`
	Cores          int      `fact:"processor_cores"`
	ThreadsPerCore int      `fact:"processor_threads_per_core"`
	VCPUs          int      `fact:"processor_vcpus"`
	NProc          int      `fact:"processor_nproc"`
}

// Memory is in MiB.
type Memory struct {
	Total     int `fact:"memtotal_mb"`
	Free      int `fact:"memfree_mb"`
	SwapTotal int `fact:"swaptotal_mb"`
	SwapFree  int `fact:"swapfree_mb"`
	Detail    struct {
		Real struct {
			Total int `fact:"total"`
			Used  int `fact:"used"`
			Free  int `fact:"free"`
		} `fact:"real"`
		NoCache struct {
			Free int `fact:"free"`
			Used int `fact:"used"`
		} `fact:"nocache"`
		Swap struct {
			Total  int `fact:"total"`
			Free   int `fact:"free"`
			Used   int `fact:"used"`
			Cached int `fact:"cached"`
		} `fact:"swap"`
	} `fact:"memory_mb"`
}

func (o *output) hardware() *Hardware {
	uptime, _, _ := strings.Cut(o.first("/proc/uptime"), ".")
	return &Hardware{CPU: o.cpu(), Memory: o.memory(), DMI: o.dmi(), Uptime: atoi(uptime), Storage: o.storage()}
}

func (o *output) memory() *Memory {
	mb := map[string]int{}
	for _, line := range o.files["/proc/meminfo"] {
		key, val, _ := strings.Cut(line, ":")
		kb, _, _ := strings.Cut(strings.TrimSpace(val), " ")
		mb[key] = atoi(kb) / 1024
	}
	m := &Memory{Total: mb["MemTotal"], Free: mb["MemFree"], SwapTotal: mb["SwapTotal"], SwapFree: mb["SwapFree"]}
	d := &m.Detail
	d.Real.Total, d.Real.Free, d.Real.Used = m.Total, m.Free, m.Total-m.Free
	d.NoCache.Free = mb["Cached"] + m.Free + mb["Buffers"]
	d.NoCache.Used = m.Total - d.NoCache.Free
	d.Swap.Total, d.Swap.Free, d.Swap.Used, d.Swap.Cached = m.SwapTotal, m.SwapFree, m.SwapTotal-m.SwapFree, mb["SwapCached"]
	return m
}

// cpuCounts is what one pass over /proc/cpuinfo counts.
type cpuCounts struct {
	named, vendors, models, processors int
	sockets, cores                     *counter
	socket, core                       string
}

// counter keeps a number by name and remembers which name came first.
type counter struct {
	first string
	by    map[string]int
}

func (c *counter) set(name string, n int) {
	if c.by == nil {
		c.first, c.by = name, map[string]int{}
	}
	c.by[name] = n
}

func (c *counter) ensure(name string) {
	if _, ok := c.by[name]; !ok {
		c.set(name, 1)
	}
}

func (o *output) cpu() *CPU {
	c := &CPU{Processor: []string{}}
	n := cpuCounts{sockets: &counter{}, cores: &counter{}, socket: "0", core: "0"}
	paravirt := false
	for _, line := range o.files["/proc/cpuinfo"] {
		key, val, _ := strings.Cut(line, ":")
		key, val = strings.TrimSpace(key), strings.TrimSpace(val)
		if key == "flags" && o.exist["/proc/xen"] && !strings.Contains(val, "vme") {
			paravirt = true // Xen PV guests show each processor as one of its own
		}
		n.count(c, key, val)
	}
	count := n.named
	if n.vendors > 0 && n.vendors == n.models {
		count = n.vendors
	}
	if machine := o.line("machine", 0); machineHas(machine, "armv", "aarch", "ppc") || machine == "" {
		count = n.processors
	}
	c.Count, c.Cores, c.ThreadsPerCore = count, 1, 1
	if !paravirt {
		if len(n.sockets.by) > 0 {
			c.Count = len(n.sockets.by)
			c.Cores = max(n.sockets.by[n.sockets.first], 1)
		}
		siblings := 1
		if len(n.cores.by) > 0 {
			siblings = n.cores.by[n.cores.first]
		}
		c.ThreadsPerCore = siblings / c.Cores
	} else {
		c.Cores = count
	}
	c.VCPUs = c.ThreadsPerCore * c.Count * c.Cores
	c.NProc = o.allowedCPUs(n.processors)
	return c
}

func machineHas(machine string, prefixes ...string) bool {
	for _, p := range prefixes {
		if strings.HasPrefix(machine, p) {
			return true
		}
	}
	return false
}

func (n *cpuCounts) count(c *CPU, key, val string) {
	switch key {
	case "model name", "Processor", "vendor_id", "cpu", "Vendor", "processor":
		c.Processor = append(c.Processor, val)
		n.named++
		switch key {
		case "vendor_id":
			n.vendors++
		case "model name":
			n.models++
		case "processor":
			n.processors++
		}
	case "physical id":
		n.socket = val
		n.sockets.ensure(val)
	case "core id":
		n.core = val
		n.cores.ensure(val)
	case "cpu cores":
		n.sockets.set(n.socket, atoi(val))
	case "siblings":
		n.cores.set(n.core, atoi(val))
	}
}

// allowedCPUs counts the processors the shell may run on.
func (o *output) allowedCPUs(otherwise int) int {
	for _, file := range o.matching("/proc/*/status") {
		for _, line := range o.files[file] {
			mask, ok := strings.CutPrefix(line, "Cpus_allowed:")
			if !ok {
				continue
			}
			total := 0
			for word := range strings.SplitSeq(strings.TrimSpace(mask), ",") {
				n, _ := strconv.ParseUint(word, 16, 64)
				total += bits.OnesCount64(n)
			}
			return total
		}
	}
	return otherwise
}

// formFactors are the chassis types of the SMBIOS specification, in Ansible's words.
var formFactors = []string{
	"Unknown", "Other", "Unknown", "Desktop", "Low Profile Desktop", "Pizza Box", "Mini Tower", "Tower", "Portable", "Laptop",
	"Notebook", "Hand Held", "Docking Station", "All In One", "Sub Notebook", "Space-saving", "Lunch Box", "Main Server Chassis",
	"Expansion Chassis", "Sub Chassis", "Bus Expansion Chassis", "Peripheral Chassis", "RAID Chassis", "Rack Mount Chassis",
	"Sealed-case PC", "Multi-system", "CompactPCI", "AdvancedTCA", "Blade", "Blade Enclosure", "Tablet", "Convertible",
	"Detachable", "IoT Gateway", "Embedded PC", "Mini PC", "Stick PC",
}

// dmiFiles are the facts of the firmware by the names of the kernel's files.
var dmiFiles = map[string]string{
	"bios_date": "bios_date", "bios_vendor": "bios_vendor", "bios_version": "bios_version",
	"board_asset_tag": "board_asset_tag", "board_name": "board_name", "board_serial": "board_serial",
	"board_vendor": "board_vendor", "board_version": "board_version",
	"chassis_asset_tag": "chassis_asset_tag", "chassis_serial": "chassis_serial",
	"chassis_vendor": "chassis_vendor", "chassis_version": "chassis_version", "form_factor": "chassis_type",
	"product_name": "product_name", "product_serial": "product_serial", "product_uuid": "product_uuid",
	"product_version": "product_version", "system_vendor": "sys_vendor",
}

// dmi gives the firmware's facts; what cannot be read is NA.
func (o *output) dmi() map[string]string {
	facts := map[string]string{}
	for fact, file := range dmiFiles {
		val := o.first("/sys/class/dmi/id/" + file)
		switch {
		case val == "":
			val = "NA"
		case fact == "form_factor":
			if n := atoi(val); n < len(formFactors) {
				val = formFactors[n]
			} else {
				val = "unknown (" + val + ")"
			}
		}
		facts[fact] = val
	}
	return facts
}
