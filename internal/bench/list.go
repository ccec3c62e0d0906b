package main

// contestants are all that is measured, the measure first.
func contestants() ([]contestant, error) {
	p, err := newProgram()
	if err != nil {
		return nil, err
	}
	return []contestant{new(objectEach), new(decode), p}, nil
}
