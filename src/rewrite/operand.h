/*
 * What is known of a value that stands in a condition: of which class it is, and, of a number, how large it can
 * get. A class other than GH_CLASS_NONE says that computing the value cannot fail, whatever the row holds.
 *
 *     operand.c   columns, literals, parameters
 *     value.c     what is computed from them
 *     time_value.c    of the time of day, from no row
 *     query_value.c   what a sub-select gives
 */
#ifndef GATEHOUSE_REWRITE_OPERAND_H
#define GATEHOUSE_REWRITE_OPERAND_H

#include "judge.h"

typedef enum gh_type_class {
    GH_CLASS_NONE = 0, /* not known to be safe */
    GH_CLASS_BOOL,
    GH_CLASS_INTEGER,
    GH_CLASS_NUMERIC,
    GH_CLASS_FLOAT,
    GH_CLASS_TEXT,
    GH_CLASS_TIME_POINT,
    GH_CLASS_TIME,
    GH_CLASS_INTERVAL,
    GH_CLASS_UUID,
    GH_CLASS_BYTEA,
    GH_CLASS_OID,
    GH_CLASS_CHAR,
    GH_CLASS_POSITION, /* ctid, of one table: position.c */
    GH_CLASS_CONST,    /* a literal, or a parameter that stands once: takes the type of what it is
                       compared with */
    GH_CLASS_PARAM,    /* a parameter whose type another place may have decided */
    GH_CLASS_ENUM      /* + the type's own OID */
} gh_type_class;

typedef struct gh_operand {
    gh_type_class class;
    gh_oid type;      /* 0: not known for certain; of a literal: what it is by itself */
    gh_oid collation; /* 0: none, or the default */
    uint16_t digits;  /* of a number: at most so many before the point; 0: no bound is known... */
    uint16_t scale;   /* ...and, where one is, behind it */
    bool is_cast;     /* gh_type.is_cast_by_code */
} gh_operand;

/* A column that a query computes, by the name that a query around it uses. */
typedef struct gh_output {
    const char *name; /* NULL: PostgreSQL makes one up that is not known here */
    gh_operand value;
} gh_output;

/* What is known of a query once it is judged. */
struct gh_query {
    const SelectStmt *select;
    const gh_output *outputs;
    int output_count;
    bool is_complete;       /* they are all, in order */
    bool has_safe_values;   /* computing any of them fails for no row... */
    bool has_safe_keys;     /* ...nor does what it groups and sorts by */
    bool is_safe;           /* running it fails for no values of the query around it... */
    bool is_safe_but_locks; /* ...or so does all of it but that it locks rows */
    bool is_single;         /* one row at most */
    bool reads_cte;         /* relations outside of it are read through names of WITH... */
    bool reads_outer;       /* ...or as columns of a query around it */
    int first;              /* its relations in gh_judge.items */
    int end;
};

/* ---- operand.c ------------------------------------------------------------------------------- */

/* typmod -1: none. */
gh_operand gh_operand_of_type(const gh_judge *j, gh_oid oid, int32_t typmod, gh_oid collation);
/* Comparing the two cannot fail, implicit casts included. */
bool gh_operand_are_comparable(gh_operand a, gh_operand b);
/* The class of a value that is the same for every row and fails on none; else GH_CLASS_NONE. */
gh_operand gh_operand_constant(const gh_judge *j, const Node *n);
/* A literal that no neighbour gives a type, as in SELECT or CASE: it is of the one that it has by itself. */
gh_operand gh_operand_settled(const gh_judge *j, gh_operand o);
/* The elements of an array that `= ANY` looks through. */
gh_operand gh_operand_elements(gh_judge *j, const Node *n);
/* The class of what a literal holds once it is cast. */
gh_operand gh_operand_cast(const gh_judge *j, const TypeCast *c);
/* The type that a cast names; 0 where it is none of pg_catalog's plain ones. */
gh_oid gh_operand_cast_type(const gh_judge *j, const TypeCast *c);
/* A column whose cells show as they are: nothing but the stored value is evaluated. NULL for any other. */
const gh_column *gh_operand_clear(gh_judge *j, const ColumnRef *ref, gh_item **item);
gh_operand gh_operand_of_column(const gh_judge *j, const gh_item *item, const gh_column *c);
/* The item that a name's column is certainly of, or NULL. */
const gh_item *gh_operand_item(gh_judge *j, const ColumnRef *ref);
/* What a name stands for; also of a column that a sub-select or common table expression computes. */
gh_operand gh_operand_column(gh_judge *j, const ColumnRef *ref);
/* Nothing is evaluated but the stored value, whoever sees it. */
bool gh_operand_is_stored(const gh_item *item, const gh_column *c);
bool gh_operand_is_literal(const Node *n);
bool gh_operand_is_string(const Node *n);
/* An integer without a sign: none below zero, whichever a template's slot holds. */
bool gh_operand_is_unsigned(const gh_judge *j, const Node *n);

/* ---- value.c --------------------------------------------------------------------------------- */

/* A value that fails for no row and takes no time by what a row holds; else GH_CLASS_NONE. */
gh_operand gh_value(gh_judge *j, const Node *n);
/* The function's name where it is PostgreSQL's own and called plainly; else NULL. */
const char *gh_value_plain_name(const FuncCall *f);

/* ---- time_value.c ---------------------------------------------------------------------------- */

/* Is it a point in time that is the same for every row, and near to today? */
bool gh_time_is_near(gh_judge *j, const Node *n);
/* What such a time is; else GH_CLASS_NONE. */
gh_operand gh_time_value(gh_judge *j, const Node *n);

/* ---- spread.c -------------------------------------------------------------------------------- */

/* Of a condition that may fail: may PostgreSQL run it, or a part, on rows of what it does not name? */
bool gh_judge_spreads(gh_judge *j, const Node *condition);

/* ---- query_value.c --------------------------------------------------------------------------- */

/* What one row of one column it gives as a value; GH_CLASS_NONE where running it may fail. */
gh_operand gh_query_value(gh_judge *j, const SubLink *s);
/* The elements of ARRAY(SELECT ctid ...), likewise. */
gh_operand gh_query_elements(gh_judge *j, const SubLink *s);
/* Is the condition one that fails for no row of the query around it? */
bool gh_query_is_safe(gh_judge *j, const SubLink *s);

#endif
