package main

import (
	"sync"
	"time"
)

// maxTasks bounds the memory: tasks live as long as the process.
const maxTasks = 1000

type task struct {
	ID      int       `json:"id"`
	Title   string    `json:"title"`
	Created time.Time `json:"created"`
}

// taskList is safe for concurrent use.
type taskList struct {
	mu    sync.Mutex
	tasks []task
}

func (l *taskList) all() []task {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]task{}, l.tasks...)
}

func (l *taskList) add(title string, at time.Time) (task, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.tasks) >= maxTasks {
		return task{}, false
	}
	made := task{ID: len(l.tasks) + 1, Title: title, Created: at.UTC()}
	l.tasks = append(l.tasks, made)
	return made, true
}
