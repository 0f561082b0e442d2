#!/usr/bin/env python3
"""Writes conversations.json, the kept set of conversations: python3 configs/conversations.py > configs/conversations.json

Four kinds, all texts made up here: recall (something said turns ago is asked for), instruction (a rule from the first turn
must still be followed), switch (the topic changes and comes back), long (one detail of a long text is asked for). A turn with
`expect` is answered by the model itself, and the answer is right when it holds one of these words; afterwards the
conversation goes on with the answer written here, so every model and conversion reads the same history.
"""
import json

PEOPLE = ["Ada", "Ben", "Clara", "David", "Emma", "Felix", "Grace", "Henry", "Iris", "Jack", "Kate", "Leo", "Maria", "Noah",
          "Olive", "Peter", "Rose", "Simon", "Tina", "Victor"]
ANIMALS = ["dog", "cat", "horse", "parrot", "rabbit", "turtle", "goat", "hamster", "donkey", "duck"]
CITIES = ["Paris", "London", "Rome", "Madrid", "Berlin", "Vienna", "Dublin", "Oslo", "Cairo", "Tokyo"]
COLOURS = ["red", "blue", "green", "yellow", "purple", "orange", "white", "black", "brown", "pink"]
JOBS = ["baker", "teacher", "nurse", "farmer", "pilot", "painter", "doctor", "sailor", "writer", "cook"]
FOODS = ["pizza", "soup", "rice", "bread", "cheese", "fish", "pasta", "cake", "salad", "honey"]
FILLERS = [
    ("Why is the sky blue?", "Sunlight is scattered by the air, and blue light is scattered more than red light."),
    ("How many days are in a week?", "A week has seven days."),
    ("What do plants need to grow?", "Plants need light, water, air and nutrients from the soil."),
    ("Tell me something about the moon.", "The moon goes around the Earth in about 27 days and has no air."),
    ("What is ice?", "Ice is frozen water. It melts at zero degrees Celsius."),
    ("Why do birds sing?", "Birds sing to find a partner and to defend their place."),
    ("What is a volcano?", "A volcano is a mountain from which hot, molten rock can come out."),
    ("How do fish breathe?", "Fish take oxygen out of the water with their gills."),
]
FACTS = [
    ("What is the capital of France?", "The capital of France is Paris.", ["Paris"]),
    ("What colour is grass?", "Grass is green.", ["green"]),
    ("How many legs does a spider have?", "A spider has eight legs.", ["eight", "8"]),
    ("What is two plus two?", "Two plus two is four.", ["four", "4"]),
    ("Which planet do we live on?", "We live on the planet Earth.", ["Earth"]),
    ("What do cows drink when they are young?", "Young cows drink milk.", ["milk"]),
    ("What is the opposite of hot?", "The opposite of hot is cold.", ["cold"]),
    ("Which animal says meow?", "A cat says meow.", ["cat"]),
    ("What is frozen water called?", "Frozen water is called ice.", ["ice"]),
    ("What is the largest ocean?", "The largest ocean is the Pacific Ocean.", ["Pacific"]),
]


def turn(user, assistant, expect=None):
    return {"user": user, "assistant": assistant, **({"expect": expect} if expect else {})}


def recall(i):
    name, animal, city, colour = PEOPLE[i % 20], ANIMALS[i * 3 % 10], CITIES[i * 7 % 10], COLOURS[(i * 3 + 1) % 10]
    gap = [turn(*FILLERS[(i // 4 + k) % 8]) for k in range((i + i // 4) % 4)]
    first, question, answer, word = [
        (f"Hello! My name is {name} and I have a {animal}.", "What is my name?", f"Your name is {name}.", name),
        (f"I live in {city} and I like to walk there.", "In which city do I live?", f"You live in {city}.", city),
        (f"My favourite colour is {colour}.", "What is my favourite colour?", f"Your favourite colour is {colour}.", colour),
        (f"I have a {animal} at home, it is very old.", "Which animal do I have?", f"You have a {animal}.", animal),
    ][i % 4]
    return [turn(first, "Nice to meet you! How can I help you?"), *gap, turn(question, answer, [word])]


def instruction(i):
    word = ["OVER", "DONE", "BANANA", "THANKS", "AMEN"][i % 5]
    facts = [FACTS[(i + k * [1, 3, 7][i // 10]) % 10] for k in range(4)]
    turns = [turn(f"From now on, end every answer with the word {word}. {facts[0][0]}", f"{facts[0][1]} {word}")]
    turns += [turn(q, f"{a} {word}") for q, a, _ in facts[1:3]]
    return turns + [turn(facts[3][0], f"{facts[3][1]} {word}", [word])]


def switch(i):
    job, food, name = JOBS[i % 10], FOODS[i * 3 % 10], PEOPLE[(i * 7 + 3) % 20]
    fact, other = FACTS[i % 10], FACTS[(i + 5) % 10]
    return [
        turn(f"My friend {name} is a {job} and loves {food}.", f"It sounds as if {name} is a busy person who enjoys {food}."),
        turn(fact[0], fact[1], fact[2]),
        turn(*FILLERS[i % 8]),
        turn(other[0], other[1], other[2]),
        turn(f"Back to my friend. What does {name} love to eat?", f"{name} loves {food}.", [food]),
    ]


def long(i):
    colour, city, name = COLOURS[i % 10], CITIES[i * 3 % 10], PEOPLE[(i * 3 + 1) % 20]
    number = str(12 + 7 * i)
    detail = [(f"The key of the {colour} door has the number {number}.", f"Which number does the key of the {colour} door have?",
               f"The key of the {colour} door has the number {number}.", number),
              (f"The old map was drawn by {name}.", "Who drew the old map?", f"The old map was drawn by {name}.", name),
              (f"The ship comes from {city}.", "Where does the ship come from?", f"The ship comes from {city}.", city)][i % 3]
    text = ["In the evening the harbour is quiet.", "Small waves roll against the wall, and the lamps are lit one after the other.",
            "A woman sells warm chestnuts at the corner.", "Two children count the boats and always forget one.",
            "The baker sweeps the steps in front of his shop.", "Far away a bell rings eight times.",
            "Nobody is in a hurry, for tomorrow is a holiday.", "The night watchman walks along the houses and greets everyone.",
            "He has a lantern in one hand and an apple in the other.", "Above the roofs the first stars appear.",
            "It smells of rain, of tar and of fresh bread.", "At last the windows grow dark, and only the sea is awake."]
    text.insert(2 + i * 5 % 9, detail[0])
    return [turn("Read this text. " + " ".join(text), "I have read the text. What would you like to know?"),
            turn(*FILLERS[i % 8]), turn(detail[1], detail[2], [detail[3]])]


kinds = [("recall", recall, 32), ("instruction", instruction, 24), ("switch", switch, 24), ("long", long, 24)]
out = {"conversations": [{"name": f"{kind}-{i + 1:03d}", "kind": kind, "turns": make(i)}
                         for kind, make, n in kinds for i in range(n)]}
assert len({json.dumps(c["turns"]) for c in out["conversations"]}) == len(out["conversations"])
print(json.dumps(out, indent=1))
