package bench

import (
	"fmt"
	"html"
	"io"
	"math"
	"runtime"
	"slices"
	"strings"
)

// Row is a figure of several runs: their medians, and how far the rates spread.
type Row struct {
	Result
	// Slowest and Fastest are the lowest and highest rate of the runs.
	Slowest float64   `json:"slowest"`
	Fastest float64   `json:"fastest"`
	Rates   []float64 `json:"rates"`
}

// Report is all that a benchmark measured.
type Report struct {
	Version  string          `json:"version"`
	System   string          `json:"system"`
	CPUs     int             `json:"cpus"`
	Duration float64         `json:"secondsEach"`
	Runs     int             `json:"runs"`
	Rows     []Row           `json:"rows"`
	Sleepers *SleepersResult `json:"sleepers,omitempty"`
	Stored   *StoredResult   `json:"stored,omitempty"`
}

// NewReport begins a report.
func NewReport(version string, runs int, opts Options) *Report {
	return &Report{Version: version, System: runtime.GOOS + "/" + runtime.GOARCH, CPUs: runtime.NumCPU(), Runs: runs, Duration: opts.Duration.Seconds()}
}

// Median makes one row of the runs of one figure.
func Median(runs []Result) Row {
	row := Row{Result: runs[0]}
	of := func(figure func(*Result) float64) float64 {
		all := make([]float64, len(runs))
		for i := range runs {
			all[i] = figure(&runs[i])
		}
		slices.Sort(all)
		return all[len(all)/2]
	}
	for i := range runs {
		row.Rates = append(row.Rates, runs[i].Rate)
	}
	row.Slowest, row.Fastest = slices.Min(row.Rates), slices.Max(row.Rates)
	row.Rate = of(func(r *Result) float64 { return r.Rate })
	row.Transitions = of(func(r *Result) float64 { return r.Transitions })
	row.P50 = of(func(r *Result) float64 { return r.P50 })
	row.P99 = of(func(r *Result) float64 { return r.P99 })
	row.CPU = of(func(r *Result) float64 { return r.CPU })
	row.Disk = of(func(r *Result) float64 { return r.Disk })
	row.Log = of(func(r *Result) float64 { return r.Log })
	row.Resident = int64(of(func(r *Result) float64 { return float64(r.Resident) }))
	return row
}

// Head is the head of the table of rows.
const Head = "workload  door     clients  executions/s  transitions/s    p50 ms    p99 ms  CPU s/1000  log B each  disk B each  RSS MB"

// Line is a row of the table.
func (r *Row) Line() string {
	return fmt.Sprintf("%-8s  %-7s  %7d  %12.0f  %13.0f  %8.2f  %8.2f  %10.3f  %10.0f  %11.0f  %6.0f",
		r.Workload, r.Door, r.Clients, r.Rate, r.Transitions, r.P50, r.P99, r.CPU, r.Log, r.Disk, float64(r.Resident)/(1<<20))
}

// Write writes what the sleepers were measured by.
func (r *SleepersResult) Write(w io.Writer) {
	fmt.Fprintf(w, "%s: %d executions in a Wait, started at %.0f/s: %.0f MB resident (%.0f MB after a restart); killed, it answers again after %.2f s; timers fire %.0f ms late (p50), %.0f ms (p99)\n",
		Sleepers, r.Sleepers, r.Rate, float64(r.Resident)/(1<<20), float64(r.ResidentAfter)/(1<<20), r.Restart, r.LateP50, r.LateP99)
}

// SVG draws the rates as bars on a logarithmic scale.
func (r *Report) SVG(w io.Writer) error {
	const (
		left, width, step, top = 230, 520, 22, 50
	)
	most := 1.0
	for i := range r.Rows {
		most = max(most, r.Rows[i].Rate)
	}
	decades := math.Ceil(math.Log10(most))
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif" font-size="12">`, left+width+120, top+step*len(r.Rows)+30)
	fmt.Fprintf(&b, `<rect width="100%%" height="100%%" fill="white"/><text x="10" y="22" font-size="15">Executions a second, %s, %d CPUs, %s</text>`, html.EscapeString(r.Version), r.CPUs, r.System)
	for d := 0.0; d <= decades; d++ {
		x := left + width*d/decades
		fmt.Fprintf(&b, `<line x1="%.0f" y1="%d" x2="%.0f" y2="%d" stroke="#ddd"/><text x="%.0f" y="%d" fill="#777" text-anchor="middle">%.0f</text>`,
			x, top-8, x, top+step*len(r.Rows), x, top+step*len(r.Rows)+16, math.Pow(10, d))
	}
	colours := map[Door]string{HTTP: "#2b6cb0", Library: "#2f855a"}
	for i := range r.Rows {
		row := &r.Rows[i]
		colour := colours[row.Door]
		if row.Workload == FloorName {
			colour = "#a0aec0"
		}
		y := top + step*i
		length := width * math.Log10(max(row.Rate, 1)) / decades
		fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="end">%s %s, %d clients</text><rect x="%d" y="%d" width="%.0f" height="14" fill="%s"/><text x="%.0f" y="%d">%.0f</text>`,
			left-8, y+11, row.Workload, row.Door, row.Clients, left, y, length, colour, left+length+6, y+11, row.Rate)
	}
	b.WriteString("</svg>\n")
	_, err := io.WriteString(w, b.String())
	return err
}
