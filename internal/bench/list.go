package main

import "misstep/detectors"

// contestants are all that is measured, the measure first; each makes those of
// one detector alone as well, and that of none.
func contestants(live int, each bool) ([]contestant, error) {
	p, err := newProgram(live, "detect", nil)
	if err != nil {
		return nil, err
	}
	all := []contestant{new(objectEach), new(decode), p}
	if !each {
		return all, nil
	}
	for i := -1; i < len(detectors.All()); i++ {
		title, off := "no detector", map[string]detectors.DetectorConfig{}
		for j, d := range detectors.All() {
			if i == j {
				title = d.Name
			} else {
				off[d.Name] = detectors.DetectorConfig{Disabled: true}
			}
		}
		p, err := newProgram(live, title, off)
		if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	return all, nil
}
