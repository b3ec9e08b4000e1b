/**
 * Shapes shared by the phone's modules: what travels on the wire and what lies on the disk.
 * Only types live here, so this file adds nothing to the bundle. Instants are epoch milliseconds, UTC.
 *
 * @typedef {'reply'|'note'|'status'|'assign'|'area'|'topics'|'urgent'|'read'|'contact'|'resolve'|'withdraw'|
 *   'acknowledge'|'snooze'|'adopt'|'mute'|'meeting'|'meeting_state'|'question'|'moderate'|'reword'|'fate'|'promise'|
 *   'promise_kept'|'attend'|'headcount'|'same'} OpKind
 *
 * @typedef {object} Op  One operation as it is sent.
 * @property {string} op_id  UUIDv7 made on this phone; for reply, note and contact also the new message's id
 * @property {OpKind} kind
 * @property {string} conversation_id
 * @property {number|null} based_on  highest position its writer had on the screen
 * @property {Record<string, any>} payload
 * @property {number} written_at_ms
 * @property {1} v
 *
 * @typedef {object} Result  The server's answer to one operation.
 * @property {string} op_id
 * @property {'applied'|'held'|'rejected'} outcome
 * @property {boolean} duplicate
 * @property {number} seq  feed seq at which the effect is visible, 0 for none
 * @property {string} [reason]
 * @property {string} [detail]
 * @property {Message[]} [changed]
 *
 * @typedef {object} Entry  One envelope in the outbox.
 * @property {1} v
 * @property {number} n  order of writing on this phone
 * @property {string} op_id
 * @property {OpKind} kind
 * @property {string} conversation_id
 * @property {number|null} based_on
 * @property {Record<string, any>} payload
 * @property {number} written_at_ms
 * @property {'waiting'|'accepted'|'held'|'rejected'} state
 * @property {number} not_before_ms
 * @property {Result|null} result
 * @property {number} attempts  0 = this phone never tried to send it
 * @property {string|null} last_error
 *
 * @typedef {object} Draft
 * @property {string} [text]
 * @property {Array<any>} [attachments]
 * @property {number|null} [based_on]
 * @property {number} [updated_ms]
 * @property {Record<string, any>} [fields]
 * @property {string} [tab]  which tab wrote it last
 * @property {File[]} [files]  photos that another app shared, not yet made smaller
 *
 * @typedef {object} OutboxPhoto
 * @property {Blob} blob
 * @property {string} type
 * @property {string} name
 * @property {number} uploaded_bytes
 * @property {number} [offered_ms]  when the server last said what it has of it
 * @property {number} [width]
 * @property {number} [height]
 *
 * @typedef {object} Me
 * @property {string} id
 * @property {string} name
 * @property {string} role
 * @property {string} language
 * @property {string[]} rights
 *
 * @typedef {object} Scope  What this person may see.
 * @property {string} hash
 * @property {string[]} areas
 * @property {string[]} [rota]  the teams whose shifts and absences she sees; an older server shows everybody's
 * @property {Me} me
 * @property {number} window_days
 * @property {string} municipality
 *
 * @typedef {object} Walk  A walk backward by conversation number that has not ended.
 * @property {number} next  ask for numbers below this
 * @property {string[]|null} scopes  null = everything she may see
 *
 * @typedef {object} Saved  The replica's own state; written in the same transaction as the data it covers.
 * @property {number|null} cursor  null = empty replica
 * @property {number} version  counts the commits that changed what can be seen
 * @property {Walk[]} walks  to do, first one first
 * @property {boolean} personal  read marks and rota fetched since the last walk
 * @property {Scope|null} scope
 * @property {number} newest  largest `s` among the rows, so that most pulls need no comparison
 * @property {number} rows  how many rows were put since the last compaction
 * @property {number} have  conversations stored by the first walk
 * @property {number} total  conversations the first walk will bring
 * @property {string[]} checks  conversations that may miss messages (they came back from before the window)
 * @property {string[]} promised  conversations whose messages the first walk is to bring; it may find them past the window
 * @property {number} in_step_ms
 * @property {string} build
 *
 * @typedef {object} Row  One changed entity since the walk.
 * @property {string} k  row key; a message's key is `m:<conversation>:<id>`
 * @property {number} s
 * @property {string} b  body JSON
 *
 * @typedef {object} Resident
 * @property {string} id
 * @property {string} name
 * @property {string} kind
 * @property {string|null} address
 *
 * @typedef {object} Verdict  What the rules made of it, and who said otherwise.
 * @property {string|null} rule
 * @property {{code: string} & Record<string, any>} why
 * @property {boolean} urgent  what the rules said
 * @property {string|null} by
 * @property {number} at_ms
 *
 * @typedef {object} Head  A conversation as the list shows it.
 * @property {number} s
 * @property {string} id
 * @property {number|null} number
 * @property {string|null} account
 * @property {'web'|'email'|'contact'} channel
 * @property {string} area
 * @property {string} subject
 * @property {Resident} resident
 * @property {'new'|'open'|'waiting'|'closed'|'reopened'} status
 * @property {string|null} assignee
 * @property {string[]} topics
 * @property {boolean} urgent
 * @property {string|null} urgent_reason
 * @property {Verdict|null} [verdict]
 * @property {number} created_ms
 * @property {number} activity_ms
 * @property {number|null} waiting_since_ms
 * @property {string} preview
 * @property {'in'|'out'|'note'} preview_by
 * @property {number} count
 * @property {number} position
 * @property {number} in_position
 * @property {string|null} place
 * @property {boolean} can_reply
 * @property {string|null} why_not
 * @property {1|-1|null} rating
 * @property {boolean} erased
 * @property {boolean} [public]  whether everybody can read the last question, where the channel says so
 * @property {number} [answer_by_ms]  until when the channel takes a reply
 * @property {Alert|null} [alert]  while it is urgent and not finished
 * @property {boolean} [pending]  something of the outbox is laid over it
 * @property {boolean} [unread]  something came in beyond my read mark
 *
 * @typedef {object} Alert  Who was woken for what is urgent, and whether somebody acknowledged it.
 * @property {string} [id]
 * @property {'open'|'acknowledged'} state
 * @property {string|null} reason
 * @property {number} since_ms
 * @property {string|null} by  who acknowledged it
 * @property {number|null} at_ms  when
 * @property {number} step
 * @property {{person: string, at_ms: number}[]} woken
 * @property {{kind: string, person: string|null, at_ms: number}|null} next  whom the server turns to when nobody does
 * @property {{person: string|null, until_ms: number, pending?: boolean}[]} [snoozed]
 * @property {boolean} [pending]  acknowledged on this phone; the server does not know it yet
 *
 * @typedef {object} Pair  Two residents who may be one; this phone has conversations of both.
 * @property {string} id
 * @property {string} a
 * @property {string} b
 * @property {string} a_c  a conversation of `a`
 * @property {string} b_c
 * @property {string[]} in  the two areas by which she may know of it
 * @property {'open'|'same'|'different'} verdict
 * @property {string} why  email, phone, handle, name; empty when the reason is not hers to know
 * @property {string} value  what both have
 * @property {string|null} by
 * @property {number|null} at_ms
 * @property {boolean} [gone]
 * @property {boolean} [pending]  said on this phone; the server does not know it yet
 *
 * @typedef {object} Attachment
 * @property {string} id
 * @property {string} type
 * @property {string} name
 * @property {number} bytes
 * @property {number|null} width
 * @property {number|null} height
 * @property {string} [alt]  what it shows, in the words of who sent it
 *
 * @typedef {object} Delivery
 * @property {'queued'|'sending'|'sent'|'delivered'|'failed'|'uncertain'|'cancelled'} state
 * @property {number|null} sent_ms
 * @property {number|null} delivered_ms
 * @property {string|null} error
 *
 * @typedef {object} Message
 * @property {number} s
 * @property {string} id
 * @property {string} c
 * @property {number|null} position  null while only this phone knows it
 * @property {'in'|'out'|'note'|'event'} d
 * @property {string|null} by
 * @property {string|null} name
 * @property {string} text
 * @property {string|null} quoted
 * @property {number} written_ms
 * @property {number|null} accepted_ms
 * @property {Attachment[]} attachments
 * @property {Delivery|null} delivery
 * @property {{what: string, from: any, to: any}|null} event
 * @property {boolean} erased
 * @property {string} [from]  the sender's address, when it is another than the conversation's
 * @property {string[]} [notices]  codes of what could not be kept whole
 * @property {boolean} [public]  whether everybody can read it at the channel, where the channel says so
 * @property {string} [link]  its page on the platform, https
 * @property {number} [changed_ms]  when its writer edited it there
 * @property {number} [deleted_ms]  when its writer took it away there
 * @property {Entry['state']} [pending]
 * @property {Entry} [entry]
 *
 * @typedef {object} WireRow  One verified line `seq \t key \t conversation \t body`.
 * @property {number} s
 * @property {string} key
 * @property {string} c
 * @property {string} body
 *
 * @typedef {object} WireLine  One verified line `conversation \t number \t head \t messages-or-"-"`.
 * @property {string} id
 * @property {number} number
 * @property {string} head
 * @property {string} messages
 *
 * @typedef {object} Answer  A verified answer of the feed: nothing else is ever stored.
 * @property {Record<string, any>} header
 * @property {WireRow[]} rows
 * @property {WireLine[]} lines
 *
 * @typedef {'network'|'portal'|'garbled'|'server'|'refused'|'signed_out'|'revoked'|'storage'} FailureKind
 *
 * @typedef {object} Failure  Anything that is not an answer.
 * @property {FailureKind} kind
 * @property {boolean} [quota]  of the phone's own storage: it is full
 * @property {number} [status]
 * @property {any} [problem]
 * @property {number} [retry_after_ms]
 *
 * @typedef {object} Tx  One transaction on a disk. Bounds are inclusive.
 * @property {(store: string, key: IDBValidKey) => Promise<any>} get
 * @property {(store: string, from?: IDBValidKey, to?: IDBValidKey, count?: number) => Promise<any[]>} getAll
 * @property {(store: string, from?: IDBValidKey, to?: IDBValidKey, count?: number) => Promise<any[]>} keys
 * @property {(store: string, value: any, key?: IDBValidKey) => void} put
 * @property {(store: string, value: any) => Promise<any>} add
 * @property {(store: string, from: IDBValidKey, to?: IDBValidKey) => void} delete
 * @property {(store: string) => void} clear
 *
 * @typedef {object} Disk  A database: transactions only. `write` resolves when it is committed.
 * @property {<T>(stores: string[], work: (tx: Tx) => Promise<T>|T) => Promise<T>} read
 * @property {<T>(stores: string[], work: (tx: Tx) => Promise<T>|T, options?: {strict?: boolean}) => Promise<T>} write
 * @property {() => void} close
 * @property {(work: () => void) => void} [whenLost]  called when the browser took the database away
 *
 * @typedef {object} Env  The outside world, given in so that it can be simulated.
 * @property {typeof fetch} fetch
 * @property {() => number} now
 * @property {() => number} random  in [0, 1)
 * @property {(count: number) => Uint8Array} bytes  for ids
 * @property {(work: () => void, delay_ms: number) => (() => void)} timer  returns its cancellation
 * @property {(bytes: Uint8Array) => Promise<string>} digest  SHA-256, hexadecimal
 * @property {((bytes: Uint8Array) => Promise<Uint8Array>)|null} gzip
 * @property {(name: string, work: () => Promise<void>) => Promise<void>} lock
 * @property {() => boolean} onLine  false only when the phone is sure that it has no network
 */
export {};
