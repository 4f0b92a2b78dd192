/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A model of the windows' protocol, for spin: what window.c and fault.c say in
 * words, for every order in which the steps can happen.
 *
 *	module/model/check		proves all properties, and finds all mutants
 *	module/model/check --list	their names
 *
 * What is modelled.  Two address spaces, 0 and 1, each with a window over the
 * other; or, with SELF, one with a window over itself.  A window shows one page
 * of its source, X, and reaches over the place of the other window (of itself),
 * so that removing entries calls back into a window.  A page is a frame, 1 or 2;
 * a source that loses X gets it back in the other frame, so that whoever still
 * has the first one is found out.  Side by side run, for each address space,
 *
 *	thread	faults on its window: fast road, slow road, staged result;
 *		pfn_mkwrite; leaves at any moment
 *	writer	takes mmap_lock for writing: for nothing, to change X, to unmap the
 *		window, to change its protection or to try to move it; leaves at
 *		any moment
 *	reclaim	changes X at any moment, without mmap_lock; may be told not to wait
 *	leave	tears the address space down when its last user has gone: exec, exit
 *	cpu	loads the window's entry into a TLB whenever there is one
 *	revoke	ends a window by a flag and a removal of its own.  Today only the
 *		end of the source ends a window; this is for when somebody else may
 *
 * in loops without a bound: no number in the model grows.  A sequence number is
 * only ever compared with what it was, so a bit says whether it still is: "valid",
 * set by read_begin, cleared when a callback moves the sequence; "mark" says that
 * it was moved by a change that has not ended, for which read_begin waits.  An
 * rwsem lets nobody pass a writer that waits; when a writer leaves, the readers
 * that waited go first.
 *
 * What is not: the order of memory accesses (all that matter are under locks),
 * rights (losing one is like losing the page: the same notifier), a fault's
 * neighbours (the same steps for more pages), the making of a window, and running
 * out of memory.
 *
 * Properties.
 *
 *	stale	 When X leaves its source, no entry and no TLB reaches its frame, and
 *		 no entry is made for it later: the assertions in gone() and fill().
 *	tables	 Nobody looks at page tables, or a window, that were freed.
 *	deadlock All can always come to an end: no invalid end states.  Everybody may
 *		 stop asking for more, so if some waited for each other for ever,
 *		 there would be a run in which all the others have stopped.
 *	progress With writers that never leave the locks alone and a finite number of
 *		 changes of X, every fault is served (PROGRESS, weak fairness).  The
 *		 number has to be finite: a source that moves the sequence each time
 *		 between the two looks of xmap_stage_begin() could keep a fault
 *		 waiting for ever.
 *
 * Each mutant is a mistake, made by a -D switch, for which spin has to find the
 * violation, and SAW() tells that a rare path was in the state space: a proof about
 * what never happens would be worth nothing.  It did find such a one: an "else"
 * that begins an alternative belongs, for spin, to the outer choice too, and is
 * never taken where "break" can be.  That is why some begin with "true".
 *
 * Revocation, when it comes: a flag that a fault looks at when it begins is too
 * early (REVOKE_UNCHECKED).  It has to be looked at where the sequence is, under
 * win->lock.  The end of the source needs no such thing, for a fault holds mm_users.
 */

#ifdef SELF
#define MMS		1
#define SOURCE(w)	0
#define SHOWN(m)	0
#define OVER(w)		0
#else
#define MMS		2
#define SOURCE(w)	(1 - (w))	/* the address space that it shows */
#define SHOWN(m)	(1 - (m))	/* the window that shows this one */
#define OVER(w)		(1 - (w))	/* the window that reaches over this one */
#endif
#define HOLDER(w)	(w)		/* windows are numbered as their holders */

/* Which of them run: bits by address space. */
#ifndef THREADS
#define THREADS		3
#endif
#ifndef WRITERS
#define WRITERS		3
#endif
#ifndef RECLAIM
#define RECLAIM		3
#endif
#ifndef LEAVE
#define LEAVE		0
#endif

#ifndef REVOKE
#define REVOKE		0
#endif

/* ---- What was seen, outside of the state ---- */

c_decl {
	#define EVENTS(E) E(fast) E(retried) E(trylock_failed) E(absent) E(slow) E(staged)	\
		E(stage_dropped) E(stage_refused) E(upgraded) E(not_live)		\
		E(own) E(waited) E(empty) E(would_block) E(zapped) E(zapped_at_end) E(idle_at_end)	\
		E(moved) E(reprotected) E(source_dead) E(outlived) E(put_source) E(torn_down)	\
		E(released) E(refused) E(ended)
	#define NUMBER(event) saw_##event,
	#define NAME(event) #event,

	enum { EVENTS(NUMBER) NR_EVENTS };
	static const char *const event_names[] = { EVENTS(NAME) };
	static int seen[NR_EVENTS];

	static __attribute__((destructor)) void tell(void)
	{
		int i;

		for (i = 0; i < NR_EVENTS; i++)
			if (seen[i])
				printf("saw %s\n", event_names[i]);
	}
}

#define SAW(event)	c_code { seen[saw_##event] = 1; }

/* ---- The state ---- */

/* Of an address space. */
bit wr[MMS];		/* mmap_lock: a writer has it */
byte rd[MMS];		/* mmap_lock: readers that have it */
byte queued[MMS];	/* mmap_lock: writers that wait */
byte rwait[MMS];	/* mmap_lock: threads that wait to read, as bits */
byte users[MMS];	/* mm_users */
byte tasks[MMS];	/* tasks that live in it; with none it is dead for xmap_mm_get() */
byte x[MMS];		/* the frame of X, 0 if it is not present */
byte last[MMS];		/* the frame that X had last */
byte changing[MMS];	/* invalidations under way */

/* Of a window. */
byte pte[MMS];		/* its entry for X, a frame */
byte tlb[MMS];		/* what a processor of its holder remembers of that */
bit live[MMS];
bit lock[MMS];		/* win->lock */
bit zap_lock[MMS];
bit ptl[MMS];		/* the lock of the table that the entry is in */
bit vma[MMS];		/* in the holder's tree */
bit tables[MMS];	/* the holder's page tables for it are there */
byte stage[MMS];	/* its thread's record: none, pending, ready */
byte found[MMS];	/* the frame in there */
bit valid[MMS];		/* the sequence is still the one that its thread has read */
bit mark[MMS];		/* the sequence is the one of the invalidation under way */
byte refs[MMS];		/* of its file */
bit attached[MMS];	/* the notifier on the source */
bit guarded[MMS];	/* the notifier on the holder */
bit freed[MMS];
#if REVOKE
bit revoked[MMS];	/* the flag */
bit ended[MMS];		/* revocation has returned */
#endif

#ifdef PROGRESS
bit got[MMS];	/* what its thread wanted it has got */

#ifdef SELF
ltl progress { <> got[0] }
#else
ltl progress { <> ((got[0] || !(THREADS & 1)) && (got[1] || !(THREADS & 2))) }
#endif
#endif

#define NONE	0
#define PENDING	1
#define READY	2

/* ---- mmap_lock ---- */

#define BIT(t)	(1 << (t))

inline up_read(m)
{
	rd[m]--
}

inline wake_readers(m)
{
	rd[m] = rd[m] + (rwait[m] & 1) + (rwait[m] >> 1);
	rwait[m] = 0
}

/* @t: the thread, for the queue. */
inline down_read(mm, t)
{
	atomic {
		if
		:: !wr[mm] && !queued[mm] && !rwait[mm] -> rd[mm]++
		:: else -> rwait[mm] = rwait[mm] | BIT(t); !(rwait[mm] & BIT(t))
		fi
	}
}

inline down_write(m)
{
	atomic {
		if
		:: !wr[m] && !rd[m] -> wr[m] = 1
		:: else -> queued[m]++; !wr[m] && !rd[m]; wr[m] = 1; queued[m]--
		fi
	}
}

inline up_write(m)
{
	atomic { wr[m] = 0; wake_readers(m) }
}

inline downgrade_write(m)
{
	atomic { wr[m] = 0; rd[m]++; wake_readers(m) }
}

/* ---- The kernel's part of an invalidation ---- */

inline invalidate_start(m)
{
	changing[m]++
}

inline invalidate_end(m)
{
	atomic {
		changing[m]--;
		if
		:: !changing[m] -> mark[SHOWN(m)] = 0
		:: else
		fi
	}
}

/* After the callbacks: S loses X, and nothing may reach that frame any more. */
inline gone(m)
{
	atomic {
		assert(!x[m] || pte[SHOWN(m)] != x[m]);
		assert(!x[m] || tlb[SHOWN(m)] != x[m]);
		x[m] = 0
	}
}

/* mmu_interval_set_seq(). */
inline set_seq(w)
{
	if
	:: !mark[w] -> mark[w] = 1; valid[w] = 0
	:: else
	fi
}

/*
 * mmu_interval_read_begin(): waits for the end of the change whose callback has
 * been here already.
 */
inline read_begin(w)
{
	atomic {
		valid[w] = 1;
		!mark[w] || !valid[w]
	}
}

/* ---- Taking entries out: window.c ---- */

inline lock_zap(w)
{
	atomic {
		if
		:: !zap_lock[w]
		:: else -> SAW(waited); !zap_lock[w]
		fi;
		zap_lock[w] = 1
	}
}

inline unlock_zap(w)
{
	zap_lock[w] = 0;
#ifdef NO_FLUSH_BEFORE_RETURN
	tlb[w] = 0
#endif
}

/*
 * The callback of @w, called by a removal of entries where @w reaches, but shows
 * nothing: it finds its own call in the list, and returns.
 */
inline callback_nested(w)
{
	if
	:: attached[w] ->
		atomic { !lock[w] -> set_seq(w); SAW(own) }
#ifdef NO_OWN_ZAP_LIST
		if
		:: live[w] -> lock_zap(w); zap_lock[w] = 0
		:: else
		fi
#endif
	:: else
	fi
}

/* xmap_window_zap().  The kernel tells the notifiers of the end, then flushes. */
inline zap(w)
{
	assert(zap_lock[w] && tables[w] && !freed[w]);
	invalidate_start(HOLDER(w));
	callback_nested(OVER(w));
	atomic { !ptl[w] -> pte[w] = 0 }
	invalidate_end(HOLDER(w));
#ifndef NO_FLUSH_BEFORE_RETURN
	tlb[w] = 0
#endif
}

/* Where an entry is looked for, xmap_pmd_populated() takes the table's lock. */
#ifdef LOOK_WITHOUT_TABLE_LOCK
#define LOOK(w)		true
#else
#define LOOK(w)		(!ptl[w])
#endif

/*
 * xmap_window_source_invalidate(), for X, or if not @shown for the place of a
 * window.  Clears @done if it would have to do what may not be done.
 */
inline callback(w, shown, may_sleep, done)
{
	do
	:: !attached[w] -> break
	:: attached[w] ->
		atomic {
			!lock[w] -> assert(!freed[w]);
			set_seq(w);
			if
			:: shown && stage[w] -> stage[w] = NONE; found[w] = 0; SAW(stage_dropped)
			:: else
			fi;
			if
			:: !live[w] -> SAW(not_live); break
			:: else
			fi
		}
#ifdef LOOK_BEFORE_LOCK
		if
		:: !pte[w] -> break
		:: else
		fi;
#endif
		if
		:: may_sleep -> lock_zap(w)
		:: !may_sleep ->
			atomic {
				if
				:: zap_lock[w] -> SAW(would_block); done = 0; break
				:: else -> zap_lock[w] = 1
				fi
			}
		fi;
		if
		:: live[w] ->
			assert(tables[w] && !freed[w]);
#ifndef SKIP_ZAP
			if
			:: atomic { shown && LOOK(w) && pte[w] && may_sleep -> SAW(zapped) }; zap(w)
			:: atomic { shown && LOOK(w) && pte[w] && !may_sleep ->
				SAW(would_block); done = 0 }
			:: atomic { !shown || (LOOK(w) && !pte[w]) -> SAW(empty) }
			fi
#endif
		:: else
		fi;
		unlock_zap(w);
		break
	od
}

/* xmap_window_holder_invalidate(), for the end of the VMA. */
inline callback_holder(w)
{
	if
	:: guarded[w] ->
		assert(!freed[w]);
		lock_zap(w);
		if
		:: live[w] ->
#ifdef SKIP_HOLDER
			skip
#else
			zap(w);
			atomic {
				!lock[w] -> live[w] = 0;
				stage[w] = NONE;
				found[w] = 0;
				SAW(zapped_at_end)
			}
#endif
		:: else -> SAW(idle_at_end)
		fi;
		unlock_zap(w)
	:: else
	fi
}

/* Everybody whom a change of the place of @w's VMA concerns, in either order. */
inline invalidate_window(w)
{
	invalidate_start(HOLDER(w));
	if
	:: true -> callback_holder(w); callback(OVER(w), 0, 1, done)
	:: true -> callback(OVER(w), 0, 1, done); callback_holder(w)
	fi;
	invalidate_end(HOLDER(w))
}

/* The tables go. */
inline free_tables(w)
{
	atomic { assert(!pte[w] && !tlb[w] && !live[w]); tables[w] = 0 }
}

/* fput(); the last one is xmap_window_release(). */
inline put_window(w)
{
	refs[w]--;
	if
	:: !refs[w] ->
		atomic { !changing[SOURCE(w)] -> attached[w] = 0 }
		atomic { !changing[HOLDER(w)] -> guarded[w] = 0 }
		atomic { stage[w] = NONE; found[w] = 0; freed[w] = 1; SAW(released) }
	:: else
	fi
}

/* ---- Putting entries in: fault.c ---- */

/*
 * Under win->lock and A's mmap_lock.  Two steps, for those who look without the
 * lock.
 */
inline fill(w, frame)
{
	assert(rd[HOLDER(w)] && vma[w] && tables[w] && !freed[w]);
	assert(frame == x[SOURCE(w)]);
#if REVOKE
	assert(!ended[w]);
#endif
	live[w] = 1;
	lock[w] = 1
}

inline fill_end(w, frame)
{
	atomic { pte[w] = frame; lock[w] = 0; frame = 0 }
}

#if REVOKE && !defined(REVOKE_UNCHECKED)
#define MAY_FILL(w)	(!revoked[w])
#else
#define MAY_FILL(w)	true
#endif
#ifdef SKIP_RETRY_CHECK
#define UNCHANGED(w)	true
#else
#define UNCHANGED(w)	(valid[w])
#endif

/* One thread of @m, which touches the window there. */
proctype thread(byte m)
{
	byte frame;

#define w HOLDER(m)
#define s SOURCE(m)
touch:
	if
#ifndef PROGRESS
	:: goto leave
#endif
	:: true -> down_read(m, m)
	fi;
	if
	:: !vma[w] -> up_read(m); goto leave
	:: vma[w] && pte[w] -> goto write
	:: vma[w] && !pte[w]
	fi;

	/* xmap_window_vm_fault() */
	atomic {
		if
		:: !tasks[s] -> SAW(source_dead); up_read(m); goto leave
		:: else -> users[s]++
		fi
	}
#if REVOKE
	if
	:: revoked[w] -> goto served
	:: else
	fi;
#endif

	/* xmap_window_fault_staged() */
	atomic {
		!lock[w];
		if
		:: stage[w] == READY && MAY_FILL(w) ->
			frame = found[w];
			stage[w] = NONE;
			found[w] = 0;
			fill(w, frame);
			SAW(staged)
		:: else -> stage[w] = NONE; found[w] = 0
		fi
	}
	if
	:: frame -> fill_end(w, frame); goto served
	:: else
	fi;

	/* xmap_window_fault_fast() */
	read_begin(w);
#ifdef WAIT_SECOND_LOCK
	down_read(s, m);
#else
	atomic {
		if
		:: !wr[s] && !queued[s] && !rwait[s] -> rd[s]++
		:: else -> SAW(trylock_failed); goto slow
		fi
	}
#endif
	frame = x[s];
	up_read(s);
	if
	:: !frame -> SAW(absent); goto slow
	:: else
	fi;
	atomic {
		!lock[w];
		if
		:: UNCHANGED(w) && MAY_FILL(w) -> fill(w, frame); SAW(fast)
		:: !(UNCHANGED(w)) -> frame = 0; SAW(retried); goto slow
		:: UNCHANGED(w) && !MAY_FILL(w) -> frame = 0; SAW(refused); goto served
		fi
	}
	fill_end(w, frame);

served:
	atomic { users[s]--; valid[w] = 0 }
	up_read(m);
#ifdef PROGRESS
	got[m] = 1;
	goto leave;
#endif
	goto touch;

	/* xmap_window_fault_slow() */
slow:
	atomic { valid[w] = 0; refs[w]++; up_read(m); SAW(slow) }
	/* xmap_stage_begin() */
	read_begin(w);
	atomic {
		!lock[w];
		if
#ifdef STAGE_UNCHECKED
		:: true -> stage[w] = PENDING
#else
		:: valid[w] -> stage[w] = PENDING
		:: else -> SAW(stage_refused)
#endif
		fi;
		valid[w] = 0
	}
	/* xmap_take() */
	down_read(s, m);
	atomic {
		if
		:: !x[s] -> last[s] = 3 - last[s]; x[s] = last[s]
		:: else
		fi;
		frame = x[s]
	}
	up_read(s);
	/* xmap_stage_end() */
	atomic {
		!lock[w] ->
		if
		:: stage[w] == PENDING ->
#ifdef NO_STAGING
			stage[w] = NONE
#else
			stage[w] = READY;
			found[w] = frame
#endif
		:: else
		fi;
		frame = 0
	}
	/* mmput_async(), fput(), VM_FAULT_RETRY */
	atomic {
		users[s]--;
		if
		:: !users[s] -> SAW(put_source)
		:: else
		fi
	}
	atomic {
		if
		:: refs[w] == 1 -> SAW(outlived)
		:: else
		fi
	}
	put_window(w);
	goto touch;

	/* xmap_window_vm_pfn_mkwrite(), when the fast road did not do it */
write:
	lock_zap(w);
	zap(w);
	unlock_zap(w);
	SAW(upgraded);
	up_read(m);
	goto touch;

leave:
	atomic {
		tasks[m]--;
		if
		:: !tasks[m] -> users[m]--
		:: else
		fi
	}
#undef w
#undef s
}

/* ---- The others ---- */

/* Another task of @m, which takes mmap_lock for writing. */
proctype writer(byte m)
{
	bool done;
	byte old;

#define w HOLDER(m)
	do
#ifndef PROGRESS
	:: break
#endif
	:: true ->
		down_write(m);
		if
		:: up_write(m)
#if !defined(PROGRESS) && !defined(QUIET)
		/* Unmap, or write-protect, X. */
		:: x[m] ->
			invalidate_start(m);
			callback(SHOWN(m), 1, 1, done);
			gone(m);
			invalidate_end(m);
			up_write(m)
		/* munmap() of the window, which goes on with the lock for reading. */
		:: vma[w] ->
			vma[w] = 0;
			downgrade_write(m);
			invalidate_window(w);
			free_tables(w);
			up_read(m);
			put_window(w)
		/* mprotect() of the window takes the entry out, and puts it back. */
		:: vma[w] ->
			invalidate_start(m);
			callback(OVER(w), 0, 1, done);
			atomic {
				!ptl[w] -> ptl[w] = 1;
				old = pte[w];
				pte[w] = 0
			}
			atomic { pte[w] = old; old = 0; ptl[w] = 0; SAW(reprotected) }
			tlb[w] = 0;
			invalidate_end(m);
			up_write(m)
		/* mremap() of the window, which is refused after it was tried. */
		:: vma[w] ->
			invalidate_window(w);
			SAW(moved);
			up_write(m)
#endif
		fi
	od;
	atomic {
		tasks[m]--;
		if
		:: !tasks[m] -> users[m]--
		:: else
		fi
	}
#undef w
}

/*
 * Reclaim, or anything else that changes X without S's mmap_lock.  It may even
 * take a frame that came after it has told of the change.
 */
proctype reclaim(byte m)
{
	bool may_sleep;
	bool done;
#ifdef PROGRESS
	byte left = CHANGES;
#endif

end:
	do
	:: atomic {
#ifdef PROGRESS
			x[m] && left -> left--;
#else
			x[m];
#endif
			if
			:: may_sleep = 1
#ifdef OOM_REAPER
			:: may_sleep = 0
#endif
			fi;
			done = 1
		}
		invalidate_start(m);
		callback(SHOWN(m), 1, may_sleep, done);
		if
		:: done -> gone(m)
		:: else
		fi;
		invalidate_end(m);
		atomic { may_sleep = 0; done = 0 }
	od
}

/* The last user has gone: exec, or exit. */
proctype leave(byte m)
{
	bool done;

end:
	!users[m];
	invalidate_start(m);
	if
	:: true -> callback_holder(HOLDER(m)); callback(SHOWN(m), 1, 1, done)
	:: true -> callback(SHOWN(m), 1, 1, done); callback_holder(HOLDER(m))
	fi;
	invalidate_end(m);
	gone(m);
	if
	:: vma[HOLDER(m)] ->
		vma[HOLDER(m)] = 0;
		free_tables(HOLDER(m));
		SAW(torn_down);
		put_window(HOLDER(m))
	:: else
	fi
}

/* Some processor that A runs on, which may walk the tables at any moment. */
proctype cpu(byte m)
{
end:
	do
	:: atomic { pte[HOLDER(m)] && tlb[HOLDER(m)] != pte[HOLDER(m)] ->
		tlb[HOLDER(m)] = pte[HOLDER(m)] }
	od
}

#if REVOKE
/* Whoever gave the access takes it back.  It holds the file. */
proctype revoke(byte m)
{
#define w HOLDER(m)
	atomic {
		!lock[w];
		revoked[w] = 1;
		stage[w] = NONE;
		found[w] = 0
	}
	lock_zap(w);
	if
	:: live[w] ->
		if
		:: LOOK(w) && pte[w] -> zap(w)
		:: LOOK(w) && !pte[w]
		fi
	:: else
	fi;
	unlock_zap(w);
	atomic { assert(!pte[w] && !tlb[w]); ended[w] = 1; SAW(ended) }
	put_window(w)
#undef w
}
#endif

#define START(who, what)							\
	if									\
	:: (who) & BIT(m) -> run what(m)					\
	:: else									\
	fi

init
{
	byte m;

	atomic {
		for (m : 0 .. MMS - 1) {
			x[m] = 1;
			last[m] = 1;
			vma[m] = 1;
			tables[m] = 1;
			attached[m] = 1;
			guarded[m] = 1;
			refs[m] = 1 + ((REVOKE >> m) & 1);
			users[m] = 1;
			tasks[m] = ((THREADS >> m) & 1) + ((WRITERS >> m) & 1);
			/* If the model has nobody there, somebody else lives there for ever. */
			if
			:: !tasks[m] -> tasks[m] = 1
			:: else
			fi;
			START(THREADS, thread);
			START(THREADS, cpu);
			START(WRITERS, writer);
			START(RECLAIM, reclaim);
			START(LEAVE, leave)
#if REVOKE
			;START(REVOKE, revoke)
#endif
		}
	}
}
