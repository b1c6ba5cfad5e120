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
	Version  string  `json:"version"`
	System   string  `json:"system"`
	CPUs     int     `json:"cpus"`
	Duration float64 `json:"secondsEach"`
	Runs     int     `json:"runs"`
	Rows     []Row   `json:"rows"`
	// Sleepers and Stored are medians of the runs beside them.
	Sleepers     *SleepersResult  `json:"sleepers,omitempty"`
	SleepersRuns []SleepersResult `json:"sleepersRuns,omitempty"`
	Stored       *StoredResult    `json:"stored,omitempty"`
	StoredRuns   []StoredResult   `json:"storedRuns,omitempty"`
}

// NewReport begins a report.
func NewReport(version string, runs int, opts Options) *Report {
	return &Report{Version: version, System: runtime.GOOS + "/" + runtime.GOARCH, CPUs: runtime.NumCPU(), Runs: runs, Duration: opts.Duration.Seconds()}
}

// Add notes the runs of one figure, and returns their medians.
func (r *Report) Add(runs []Result) *Row {
	row := Row{Result: median(runs)}
	for i := range runs {
		row.Rates = append(row.Rates, runs[i].Rate)
	}
	row.Slowest, row.Fastest = slices.Min(row.Rates), slices.Max(row.Rates)
	r.Rows = append(r.Rows, row)
	return &r.Rows[len(r.Rows)-1]
}

// AddSleepers notes the runs of the workload that waits, and returns their medians.
func (r *Report) AddSleepers(runs []SleepersResult) *SleepersResult {
	m := median(runs)
	r.Sleepers, r.SleepersRuns = &m, runs
	return &m
}

// AddStored notes the runs of the workload that is stored, and returns their
// medians.
func (r *Report) AddStored(runs []StoredResult) *StoredResult {
	m := median(runs)
	r.Stored, r.StoredRuns = &m, runs
	return &m
}

// Head is the head of the table of rows. The load is full, or the rate at which
// executions are started; the spread is of the rates of the runs.
const Head = "workload  door     clients    load  executions/s  spread  transitions/s    p50 ms    p99 ms    max ms  stall ms  gap p50/p99 ms  CPU s/1000  log B each  disk B each  RSS MB half/end"

// Line is a row of the table.
func (r *Row) Line() string {
	load, gap := "full", "-"
	if r.Pace > 0 {
		load = fmt.Sprintf("%.0f/s", r.Pace)
	}
	if r.GapP99 > 0 {
		gap = fmt.Sprintf("%.2f/%.2f", r.GapP50, r.GapP99)
	}
	const mb = 1 << 20
	return fmt.Sprintf("%-8s  %-7s  %7d  %6s  %12.0f  %5.0f%%  %13.0f  %8.2f  %8.2f  %8.1f  %8.1f  %14s  %10.3f  %10.0f  %11.0f  %7.0f/%.0f",
		r.Workload, r.Door, r.Clients, load, r.Rate, (r.Fastest-r.Slowest)/max(r.Rate, 1)*100, r.Transitions, r.P50, r.P99, r.Max, r.Stall, gap,
		r.CPU, r.Log, r.Disk, float64(r.ResidentHalf)/mb, float64(r.Resident)/mb)
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
	full := slices.DeleteFunc(slices.Clone(r.Rows), func(row Row) bool { return row.Pace > 0 })
	most := 1.0
	for i := range full {
		most = max(most, full[i].Rate)
	}
	decades := math.Ceil(math.Log10(most))
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif" font-size="12">`, left+width+120, top+step*len(full)+30)
	fmt.Fprintf(&b, `<rect width="100%%" height="100%%" fill="white"/><text x="10" y="22" font-size="15">Executions a second, %s, %d CPUs, %s</text>`, html.EscapeString(r.Version), r.CPUs, r.System)
	for d := 0.0; d <= decades; d++ {
		x := left + width*d/decades
		fmt.Fprintf(&b, `<line x1="%.0f" y1="%d" x2="%.0f" y2="%d" stroke="#ddd"/><text x="%.0f" y="%d" fill="#777" text-anchor="middle">%.0f</text>`,
			x, top-8, x, top+step*len(full), x, top+step*len(full)+16, math.Pow(10, d))
	}
	colours := map[Door]string{HTTP: "#2b6cb0", Library: "#2f855a"}
	for i := range full {
		row := &full[i]
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
