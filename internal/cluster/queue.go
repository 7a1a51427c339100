package cluster

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// queueItem is what waits to be launched, with what the library leaves out of it.
type queueItem struct {
	Count int `json:"count"`
	Delay struct {
		Overdue         bool    `json:"overdue"`
		TimeLeftSeconds float64 `json:"timeLeftSeconds"`
	} `json:"delay"`
	Summary struct {
		Processed int      `json:"processedOffersCount"`
		Last      []reject `json:"rejectSummaryLastOffers"`
	} `json:"processedOffersSummary"`
	Unused []unusedOffer `json:"lastUnusedOffers"`
	App    queuedApp     `json:"app"`
}

type reject struct {
	Reason    string `json:"reason"`
	Declined  int    `json:"declined"`
	Processed int    `json:"processed"`
}

type unusedOffer struct {
	Offer struct {
		Hostname  string `json:"hostname"`
		Resources []struct {
			Name   string  `json:"name"`
			Role   string  `json:"role"`
			Scalar float64 `json:"scalar"`
		} `json:"resources"`
	} `json:"offer"`
	Reason []string `json:"reason"`
}

type queuedApp struct {
	ID          string     `json:"id"`
	CPUs        float64    `json:"cpus"`
	Mem         float64    `json:"mem"`
	Disk        float64    `json:"disk"`
	GPUs        float64    `json:"gpus"`
	Role        string     `json:"role"`
	Constraints [][]string `json:"constraints"`
	Ports       []struct {
		Port int `json:"port"`
	} `json:"portDefinitions"`
}

// queued returns what waits of the app, or nil when nothing does.
func (m Marathon) queued(ctx context.Context, appID string) (*queueItem, error) {
	var queue struct {
		Queue []queueItem `json:"queue"`
	}
	if err := m.get(ctx, "read the launch queue", "/v2/queue?embed=lastUnusedOffers", &queue); err != nil {
		return nil, err
	}
	for _, item := range queue.Queue {
		if strings.Trim(item.App.ID, "/") == strings.Trim(appID, "/") {
			return &item, nil
		}
	}
	return nil, nil
}

// rejects says why the last offers were not taken: "2 offers: both lack 1.5 GiB memory, largest has 900 MiB". It is
// empty when no offer was refused. agents fill in the largest amount where the offers are not known.
func (q *queueItem) rejects(agents []Agent) string {
	offers := 0
	for _, row := range q.Summary.Last {
		offers = max(offers, row.Processed)
	}
	var parts []string
	for _, row := range q.Summary.Last {
		if row.Declined == 0 {
			continue
		}
		if reason := q.reason(row, agents); reason != "" {
			parts = append(parts, howMany(row.Declined, offers)+" "+reason)
		}
	}
	if len(parts) == 0 {
		return ""
	}
	if offers == 1 {
		return "1 offer: " + strings.Join(parts, "; ")
	}
	return fmt.Sprintf("%d offers: %s", offers, strings.Join(parts, "; "))
}

func howMany(n, of int) string {
	switch {
	case of == 1:
		return "it"
	case n == of && of == 2:
		return "both"
	case n == of:
		return "all"
	}
	return fmt.Sprint(n)
}

func (q *queueItem) reason(row reject, agents []Agent) string {
	lack := "lack "
	if row.Declined == 1 {
		lack = "lacks "
	}
	amount := func(name string, need float64, write func(float64) string, unit string) string {
		most, known := q.largest(name, row.Reason, agents)
		switch {
		case !known:
			return lack + write(need) + unit
		case most >= need:
			return "" // the summary is about an earlier definition of the app
		}
		return lack + write(need) + unit + ", largest has " + write(most)
	}
	switch row.Reason {
	case "InsufficientCpus":
		return amount("cpus", q.App.CPUs, number, " cpus")
	case "InsufficientMemory":
		return amount("mem", q.App.Mem, mib, " memory")
	case "InsufficientDisk":
		return amount("disk", q.App.Disk, mib, " disk")
	case "InsufficientGpus":
		return lack + number(q.App.GPUs) + " gpus"
	case "InsufficientPorts":
		return lack + "port " + q.ports()
	case "UnfulfilledConstraint":
		if len(q.App.Constraints) == 0 {
			return "under maintenance or outside the master's region"
		}
		return fmt.Sprintf("outside the constraints %v", q.App.Constraints)
	case "UnfulfilledRole":
		return "reserved for other roles than " + q.App.Role
	case "AgentMaintenance":
		return "under maintenance"
	case "NoCorrespondingReservationFound":
		return "without the reservation of this app's volume"
	case "DeclinedScarceResources":
		return "kept for tasks that need gpus"
	}
	return "refused (" + row.Reason + ")"
}

func (q *queueItem) ports() string {
	var ports []string
	for _, p := range q.App.Ports {
		ports = append(ports, fmt.Sprint(p.Port))
	}
	if len(ports) == 0 {
		return "(any)"
	}
	return strings.Join(ports, " or ")
}

// largest is the biggest amount of one resource among the offers refused for the reason, else among what the agents
// have free.
func (q *queueItem) largest(name, reason string, agents []Agent) (most float64, known bool) {
	for _, unused := range q.Unused {
		if !slices.Contains(unused.Reason, reason) {
			continue
		}
		sum := 0.0
		for _, r := range unused.Offer.Resources {
			if r.Name == name {
				sum += r.Scalar
			}
		}
		most, known = max(most, sum), true
	}
	if known {
		return most, true
	}
	for _, a := range agents {
		if a.Active {
			free := a.Free()
			most, known = max(most, map[string]float64{"cpus": free.CPUs, "mem": free.Mem, "disk": free.Disk}[name]), true
		}
	}
	return most, known
}

func number(f float64) string {
	return strings.TrimSuffix(strings.TrimRight(fmt.Sprintf("%.2f", f), "0"), ".")
}

// mib writes MiB as people do: 900 MiB, 1.5 GiB.
func mib(f float64) string {
	if f >= 1024 {
		return number(f/1024) + " GiB"
	}
	return number(f) + " MiB"
}
