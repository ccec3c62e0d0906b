package main

// contestants are all that is measured, the measure first.
func contestants(live int) ([]contestant, error) {
	p, err := newProgram(live)
	if err != nil {
		return nil, err
	}
	return []contestant{new(objectEach), new(decode), p}, nil
}
